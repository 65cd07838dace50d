//! Lists what a crate shows, one line an item, from the JSON that rustdoc makes of it: `surface FILE.json`.
//!
//! What nobody chooses is left out: blanket implementations, marker traits that follow from others, and in which private
//! file `telemetry-core` has what another crate names.

/// `telemetry_core::model::span::Span` becomes `telemetry_core::Span`, but not in its own list.
fn without_files(item: &str) -> String {
    const CORE: &str = "telemetry_core::";
    let is_module = |name: &str| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let short = |path: &str| {
        let mut rest = path;
        while let Some((name, below)) = rest.split_once("::")
            && is_module(name)
        {
            rest = below;
        }
        rest.to_owned()
    };
    let mut parts = item.split(CORE);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, path| text + CORE + &short(path))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    const TAKEN_FOR_GRANTED: [&str; 5] =
        ["::Freeze for ", "::Unpin for ", "::UnsafeUnpin for ", "::RefUnwindSafe for ", "::UnwindSafe for "];
    let json = std::env::args_os().nth(1).ok_or("give the JSON of a crate")?;
    let surface = public_api::Builder::from_rustdoc_json(json).omit_blanket_impls(true).build()?;
    let items: Vec<String> = surface.items().map(ToString::to_string).collect();
    let is_core = items.iter().any(|item| item == "pub mod telemetry_core");
    for item in items.iter().filter(|item| !TAKEN_FOR_GRANTED.iter().any(|name| item.contains(name))) {
        println!("{}", if is_core { item.clone() } else { without_files(item) });
    }
    Ok(())
}
