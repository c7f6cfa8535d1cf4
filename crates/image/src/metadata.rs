//! What an image says about itself.

use serde_json::json;

/// The metadata section, as `nitro-cli describe-eif` shows it. It is not measured, and nothing may
/// rely on it.
///
/// The time of the build is always given as 1970: an image that says when it was made could not be
/// made again.
#[derive(Debug, Clone)]
pub struct Metadata {
    /// `ImageName`.
    pub name: String,
    /// `ImageVersion`.
    pub version: String,
    /// `KernelVersion`, such as `6.12.95+deb12-cloud-amd64`.
    pub kernel_version: String,
}

impl Metadata {
    /// The section's bytes. Every key is there that AWS's reader insists on.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let metadata = json!({
            "ImageName": self.name,
            "ImageVersion": self.version,
            "BuildMetadata": {
                "BuildTime": "1970-01-01T00:00:00+00:00",
                "BuildTool": "synclave",
                "BuildToolVersion": env!("CARGO_PKG_VERSION"),
                "OperatingSystem": "Linux",
                "KernelVersion": self.kernel_version,
            },
            "DockerInfo": {},
            "CustomMetadata": {},
        });
        metadata.to_string().into_bytes()
    }
}
