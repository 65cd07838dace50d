//! `spool verify`: every length and checksum of every file, read and nothing else.

use std::path::Path;

use telemetry_layer::spool::inspect;

use crate::AnyError;

/// Whether all is as it was written.
pub(crate) fn verify(directory: &Path) -> Result<bool, AnyError> {
    let (mut segments, mut bytes, mut faults) = (0, 0, 0);
    for segment in inspect(directory)? {
        let file = directory.join(&segment.file);
        let file = file.display();
        for fault in &segment.faults {
            println!("{file}: {fault}");
        }
        if segment.more_faults > 0 {
            println!("{file}: {} more", segment.more_faults);
        }
        if segment.unfinished > 0 {
            println!("{file}: its last {} bytes are just being written", segment.unfinished);
        }
        if segment.unknown > 0 {
            println!("{file}: {} bodies are whole, and of a later version", segment.unknown);
        }
        segments += 1;
        bytes += segment.bytes;
        faults += segment.faults.len() as u64 + segment.more_faults;
    }
    let verdict =
        if faults == 0 { "all is as it was written".to_owned() } else { format!("{faults} faults") };
    println!("{}: {segments} segments, {bytes} bytes: {verdict}", directory.display());
    Ok(faults == 0)
}
