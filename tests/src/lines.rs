//! What `file:` has written, of programs that number their spans with a field `i`.

use std::path::Path;

use serde_json::Value;

/// The numbers of all spans in a directory, in their order, each as often as it is there.
///
/// # Panics
///
/// If the directory can't be read, or a line is not whole.
pub fn numbers_in(directory: &Path) -> Vec<u64> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if !path.file_name().is_some_and(|name| name.to_string_lossy().contains(".jsonl")) {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("text");
        assert!(text.is_empty() || text.ends_with('\n'), "{}: its last line is torn", path.display());
        for line in text.lines() {
            let line =
                serde_json::from_str(line).unwrap_or_else(|e| panic!("{}: {e}: {line}", path.display()));
            numbers.extend(numbers_of(&line));
        }
    }
    numbers.sort_unstable();
    numbers
}

/// Those in one line, in either format.
fn numbers_of(line: &Value) -> Vec<u64> {
    let each = |of: &Value, name: &str| of[name].as_array().cloned().unwrap_or_default();
    let scopes = each(line, "resourceSpans").into_iter().flat_map(|of| each(&of, "scopeSpans"));
    let attributes = scopes.flat_map(|of| each(&of, "spans")).flat_map(|span| each(&span, "attributes"));
    let numbers = attributes.filter(|attribute| attribute["key"] == "i");
    let numbers = numbers.filter_map(|number| number["value"]["intValue"].as_str()?.parse().ok());
    line["fields"]["i"].as_u64().into_iter().chain(numbers).collect()
}
