//! Puts the templates into the library: every folder of `templates`, with the files that its `copies.txt` names from
//! elsewhere in the repository. `README.md` describes it.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The file of a template that names what is copied beside it; no part of a project itself.
const COPIES: &str = "copies.txt";
/// What building leaves behind in a folder that is copied.
const LEAVINGS: [&str; 4] = ["target", "node_modules", "build", "__pycache__"];

fn main() -> io::Result<()> {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let templates = root.join("templates");
    println!("cargo::rerun-if-changed={}", templates.display());
    let mut text = String::from("const TEMPLATES: &[Template] = &[\n");
    for folder in entries(&templates)? {
        let language = name(&folder);
        line(&mut text, &format!("    Template {{ language: {language:?}, files: &["));
        for file in files(&folder)? {
            let path = relative(&file, &folder)?;
            if path != COPIES {
                embed(&mut text, &path, &file, true);
            }
        }
        for (from, to) in copies(&folder.join(COPIES))? {
            let from = root.join("..").join(from);
            println!("cargo::rerun-if-changed={}", from.display());
            if from.is_file() {
                embed(&mut text, &to, &from, false);
                continue;
            }
            for file in files(&from)? {
                embed(&mut text, &format!("{to}/{}", relative(&file, &from)?), &file, false);
            }
        }
        line(&mut text, "    ] },");
    }
    line(&mut text, "];");
    fs::write(Path::new(&variable("OUT_DIR")?).join("templates.rs"), text)
}

fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(|error| io::Error::other(format!("{name}: {error}")))
}

fn line(text: &mut String, line: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{line}");
}

fn embed(text: &mut String, path: &str, file: &Path, filled_in: bool) {
    let file = file.display().to_string();
    line(
        text,
        &format!(
            "        File {{ path: {path:?}, content: include_bytes!({file:?}), filled_in: {filled_in} }},"
        ),
    );
}

/// Lines `FROM TO`: a file or folder of the repository, and where it goes in a project.
fn copies(file: &Path) -> io::Result<Vec<(String, String)>> {
    if !file.exists() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(file)?;
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let pair = |line: &str| match line.split_whitespace().collect::<Vec<_>>()[..] {
        [from, to] => Ok((from.to_owned(), to.to_owned())),
        _ => Err(io::Error::other(format!("{}: `{line}` is not `FROM TO`", file.display()))),
    };
    lines.map(pair).collect()
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn relative(file: &Path, folder: &Path) -> io::Result<String> {
    let path = file.strip_prefix(folder).map_err(io::Error::other)?;
    Ok(path.to_string_lossy().into_owned())
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries = fs::read_dir(folder)
        .map_err(|error| io::Error::other(format!("{}: {error}", folder.display())))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    Ok(entries)
}

/// All files in a folder and in those below, but for what building leaves behind.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in entries(folder)? {
        if !path.is_dir() {
            files.push(path);
        } else if !LEAVINGS.contains(&name(&path).as_str()) {
            files.extend(self::files(&path)?);
        }
    }
    Ok(files)
}
