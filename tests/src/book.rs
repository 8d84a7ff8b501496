//! The documents of the repository and the code blocks in them.

use std::fs;
use std::path::PathBuf;

use crate::programs::workspace;

/// What stands between two fences.
pub struct Block {
    /// Its language, which stands behind the first fence.
    pub language: String,
    /// The lines between, without what the fence is indented by.
    pub text: String,
}

/// All documents of the repository, but for what was built.
///
/// # Panics
/// A folder cannot be read.
#[must_use]
pub fn documents() -> Vec<PathBuf> {
    let mut folders = vec![workspace().to_owned()];
    let mut documents = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if name.ends_with(".md") {
                documents.push(path);
            }
        }
    }
    documents
}

/// The blocks of a document, in order.
///
/// # Panics
/// There is no such document, or a block of it does not end.
#[must_use]
pub fn blocks(document: &str) -> Vec<Block> {
    let text = fs::read_to_string(workspace().join(document)).unwrap();
    let mut lines = text.lines();
    let mut blocks = Vec::new();
    while let Some(line) = lines.next() {
        let Some((indent, language)) = line.split_once("```") else { continue };
        assert!(indent.trim().is_empty(), "{document}: a fence in the middle of a line: {line}");
        let mut text = String::new();
        loop {
            let line = lines.next().unwrap_or_else(|| panic!("{document}: a block does not end"));
            let line = line.strip_prefix(indent).unwrap_or(line);
            if line == "```" {
                break;
            }
            text += line;
            text.push('\n');
        }
        blocks.push(Block { language: language.to_owned(), text });
    }
    blocks
}

/// What stands in the blocks of one language.
#[must_use]
pub fn texts(document: &str, language: &str) -> Vec<String> {
    let blocks = blocks(document).into_iter().filter(|block| block.language == language);
    blocks.map(|block| block.text).collect()
}
