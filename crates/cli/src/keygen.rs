//! `synclave keygen`.

use protocol::KeyFingerprint;
use serde_json::json;

use crate::arguments::KeygenOptions;
use crate::printer::Printer;

pub(crate) fn run(options: &KeygenOptions, printer: Printer) -> anyhow::Result<()> {
    let key = client::keygen(&options.key_name, &options.output, options.algorithm)?;
    let text = key.key.public_text();
    printer.say(format_args!(
        "private key: {} (keep it; nobody else needs it)",
        key.private_file.display()
    ));
    printer.say(format_args!("public key:  {}", key.public_file.display()));
    let fingerprint = KeyFingerprint::of_key(key.key.spki());
    printer.say(format_args!("fingerprint: {}", fingerprint.in_groups()));
    printer.say(
        "             (`validate` and `connect` show it beside your name: read it to the \
                 others by telephone)",
    );
    printer.say("public_key for service.yaml:");
    // Alone on the standard output, so that it can be piped into a file.
    printer.result(&text);
    printer.document(&json!({
        "private_key": key.private_file,
        "public_key": key.public_file,
        "public_key_text": text,
        "fingerprint": fingerprint,
    }));
    Ok(())
}
