//! The room behind the outer tier, and the outer tier's certificate.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

use super::programs::Programs;

/// Keys of Alice and Bob, their agreement, a table, and something too large for the room.
pub(super) fn make_room(folder: &Path, programs: &Programs) -> anyhow::Result<()> {
    let mut users = String::new();
    for (name, shown) in [("alice", "Alice"), ("bob", "Bob")] {
        let output = programs
            .program("synclave")
            .args([
                "keygen",
                "--algorithm",
                "p256",
                "--key-name",
                name,
                "--output",
            ])
            .arg(folder)
            .output()?;
        ensure!(output.status.success(), "no key for {shown}");
        let printed = String::from_utf8(output.stdout)?;
        users += &format!(
            "  - user_name: {shown}\n    public_key: {}\n",
            printed.trim()
        );
    }
    let room = folder.join("room");
    fs::create_dir(&room)?;
    fs::write(
        room.join("service.yaml"),
        format!(
            "auth:\n- auth_name: default\n  auth_type: signed_headers\npaths:\n- path: \
             /upload_data\n  access: data_provider\nroles:\n\
             - role_name: data_provider\n  role_auth: default\n  role_cardinality: 2\nusers:\n  \
             data_provider:\n{users}"
        ),
    )?;
    fs::write(
        room.join("runtime.yaml"),
        "method: MST\nepsilon: 3\nparty_names: [Alice, Bob]\nlimits:\n  max_upload_bytes: \
         1000000\n",
    )?;
    let rows: String = (0..20_000).map(|id| format!("{id},{}\n", id % 7)).collect();
    fs::write(folder.join("table.csv"), format!("id,day\n{rows}"))?;
    let oversized: String = (0..400_000).map(|id| format!("{id},1\n")).collect();
    fs::write(folder.join("zeros"), format!("id,day\n{oversized}"))?;
    Ok(())
}

/// For localhost, and its own authority.
pub(super) fn make_certificate(folder: &Path) -> anyhow::Result<()> {
    let made = Command::new("openssl")
        .current_dir(folder)
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        ])
        .args([
            "-keyout",
            "outer.key",
            "-out",
            "outer.crt",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ])
        .args(["-addext", "subjectAltName=DNS:localhost"])
        // A client takes no authority for a server.
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .output()
        .context("could not start openssl")?;
    let said = String::from_utf8_lossy(&made.stderr);
    ensure!(made.status.success(), "no certificate: {said}");
    Ok(())
}
