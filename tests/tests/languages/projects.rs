//! Projects that `wasm-host new` makes: the commands of their pages, which are those of their own README too, build a
//! module that passes its cases.

use sandgate_tests::project::Project;
use sandgate_tests::scratch::Scratch;

use super::toolchain::passes;

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
