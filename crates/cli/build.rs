//! Lists the files of the local page, which are part of the program.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs, io};

/// What the page is made of. Tests, types and notes are for who works on it.
const ENDINGS: [&str; 4] = ["css", "html", "js", "svg"];

fn main() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../page");
    let mut files = Vec::new();
    for part in ["", "vendor"] {
        let folder = folder.join(part);
        println!("cargo:rerun-if-changed={}", folder.display());
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let ending = path.extension().and_then(|ending| ending.to_str());
            if ending.is_some_and(|ending| ENDINGS.contains(&ending)) {
                files.push((part, path));
            }
        }
    }
    // A folder has no order of its own, and the program must not depend on the machine's.
    files.sort();
    let mut list = "&[\n".to_owned();
    for (part, path) in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = match part {
            "" => name.into_owned(),
            part => format!("{part}/{name}"),
        };
        writeln!(list, "({name:?}, include_bytes!({path:?})),").map_err(io::Error::other)?;
    }
    list.push(']');
    let out = env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?;
    fs::write(Path::new(&out).join("page_files.rs"), list)
}
