//! Projects that `wasm-host new` makes: the commands of their pages, which are those of their own README too, build a
//! module that passes its cases. So do the other commands of a page, and the other modules that it shows.

use std::fs;

use sandgate_tests::book::texts;
use sandgate_tests::programs::{command, program, workspace};
use sandgate_tests::project::Project;
use sandgate_tests::scratch::Scratch;

use super::toolchain::{passes, run};

/// What a new project's module is called, and how its page calls the language, where a page shows another module.
const SHOWN: [(&str, &str, &str); 2] = [("python", "module.py", "python"), ("typescript", "module.ts", "ts")];

fn a_new_project_works(language: &'static str) {
    let scratch = Scratch::new();
    let Some(project) = Project::new(&scratch, language) else { return };
    let (page, readme) = (project.page(), project.readme());
    assert!(readme.starts_with(&page[2..]), "the page says {page:?}, and the README {readme:?}");
    project.build();
    if language == "python" {
        // Compiled with more patience than the limit has on a busy machine; it is kept for the next.
        passes(&scratch, &project.component(), &project.file("cases"));
    }
    let told = project.test();
    assert!(told.contains("2 cases: 2 passed"), "{told}");
    for line in &readme[page.len() - 2..] {
        let told = project.run(line);
        assert!(told.contains("{\"properties\":{\"site\":\"lab\"},\"text\":\"hello\"}\n"), "{line}: {told}");
    }
    let Some((_, file, called)) = SHOWN.iter().find(|(name, ..)| *name == language) else { return };
    for module in &texts(&format!("docs/languages/{language}.md"), called)[1..] {
        fs::write(project.file(file), module).unwrap();
        project.build();
        let message = fs::File::open(scratch.write("message", r#"{"text": "hello"}"#)).unwrap();
        let mut host = command(&scratch, program("wasm-host"));
        host.args(["run", "-W", "compile-timeout=600s", "--config", r#"{"site": "lab"}"#]);
        let told = run(host.arg(project.component()).stdin(message));
        assert!(told.contains("{\"properties\":{\"site\":\"lab\"},\"text\":\"hello\"}\n"), "{told}");
    }
}

#[test]
fn the_steps_by_hand_make_a_module_in_c_and_one_of_v1() {
    let scratch = Scratch::new();
    let project = Project::new(&scratch, "c").unwrap();
    let commands = texts("docs/languages/c.md", "console");
    let [_, by_hand, for_v1] = &commands[..] else { panic!("{commands:?}") };
    let steps: Vec<_> = by_hand.lines().map(|line| line.strip_prefix("$ ").unwrap()).collect();
    steps.iter().for_each(|line| drop(project.run(line)));
    passes(&scratch, &project.component(), &project.file("cases"));

    fs::remove_dir_all(project.file("build/sandgate")).unwrap();
    fs::copy(workspace().join("native/tests/c/fixture.c"), project.file("module.c")).unwrap();
    project.run(for_v1.trim().strip_prefix("$ ").unwrap());
    steps[1..].iter().for_each(|line| drop(project.run(line)));
    passes(&scratch, &project.component(), &workspace().join("guest-modules/c/v1/cases.json"));
}

#[test]
fn a_new_project_in_rust_builds_and_passes_its_cases() {
    a_new_project_works("rust");
}

#[test]
fn a_new_project_in_c_builds_and_passes_its_cases() {
    a_new_project_works("c");
}

#[test]
fn a_new_project_in_cpp_builds_and_passes_its_cases() {
    a_new_project_works("cpp");
}

#[test]
fn a_new_project_in_zig_builds_and_passes_its_cases() {
    a_new_project_works("zig");
}

#[test]
fn a_new_project_in_go_builds_and_passes_its_cases() {
    a_new_project_works("go");
}

#[test]
fn a_new_project_in_javascript_builds_and_passes_its_cases() {
    a_new_project_works("javascript");
}

#[test]
fn a_new_project_in_typescript_builds_and_passes_its_cases() {
    a_new_project_works("typescript");
}

#[test]
fn a_new_project_in_python_builds_and_passes_its_cases() {
    a_new_project_works("python");
}
