//! Key files of a party.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use access::PublicKey;
use attested_tls::{ClientKey, KeyAlgorithm};
use private_file::Exposure;
use protocol::BoundedFile;

use crate::Error;

/// No key file is longer.
const MAX_KEY_FILE_BYTES: u64 = 64 * 1024;

/// A key pair that was just made and written.
#[derive(Debug)]
pub struct NewKey {
    /// The private key's file, in DER, which its owner alone may read.
    pub private_file: PathBuf,
    /// The public key's file, in DER: RSA as PKCS#1, others as SPKI.
    pub public_file: PathBuf,
    /// The pair; [`ClientKey::public_text`] is what goes into `public_key` of `service.yaml`.
    pub key: ClientKey,
}

/// Makes a key pair and writes it to `NAME_private.der` and `NAME_public.der` in `folder`, which is
/// made where it is missing.
///
/// Files that exist are never overwritten. Either both files are written, or neither is.
///
/// # Errors
/// [`Error::KeyName`], [`Error::KeyFileExists`], [`Error::KeyFile`].
pub fn keygen(name: &str, folder: &Path, algorithm: KeyAlgorithm) -> Result<NewKey, Error> {
    // A name that is one part of a path on every system, and needs no quoting.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || name.starts_with('.') || !name.bytes().all(plain) {
        return Err(Error::KeyName {
            name: name.to_owned(),
        });
    }
    let key = ClientKey::generate(algorithm);
    fs::create_dir_all(folder).map_err(|source| Error::KeyFile {
        path: folder.to_owned(),
        source,
    })?;
    let private_file = folder.join(format!("{name}_private.der"));
    let public_file = folder.join(format!("{name}_public.der"));
    // The private key first: a public one without it would be of no use to anybody.
    write_new(&private_file, key.private_der(), private_file::create_new)?;
    write_new(&public_file, key.public_der(), create_public)
        // Neither or both: a lone private key would block the next attempt.
        .inspect_err(|_| drop(fs::remove_file(&private_file)))?;
    Ok(NewKey {
        private_file,
        public_file,
        key,
    })
}

/// A key pair that was read from files.
#[derive(Debug)]
pub struct KeyPair {
    /// Both halves of the pair.
    pub key: ClientKey,
    /// A warning for the person, where the private key is not theirs alone.
    pub exposed: Option<ExposedKey>,
}

/// A private key's file that is open to other users of this machine. As a sentence it says which,
/// and how to close it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the private key in {} is open to other users of this machine ({exposure}); run {}",
    path.display(),
    exposure.remedy(path)
)]
pub struct ExposedKey {
    /// Path of the file.
    pub path: PathBuf,
    /// By what it is open to them.
    pub exposure: Exposure,
}

/// Reads a private key, and checks that the public one belongs to it. Both may be DER, PEM or
/// base64, whatever the files are called.
///
/// # Errors
/// [`Error::KeyFile`], [`Error::PrivateKey`], [`Error::PublicKey`]; [`Error::KeyMismatch`] where
/// they are of different pairs.
pub fn read_keys(private_file: &Path, public_file: &Path) -> Result<KeyPair, Error> {
    let (private_bytes, exposure) = read_file(private_file)?;
    let private_key = ClientKey::read(&private_bytes).map_err(|source| Error::PrivateKey {
        path: private_file.to_owned(),
        source,
    })?;
    let (public_bytes, _) = read_file(public_file)?;
    let public_key = PublicKey::read(&public_bytes).map_err(|source| Error::PublicKey {
        path: public_file.to_owned(),
        source,
    })?;
    // A wrong pair would show only as "key not registered", far from its cause.
    if private_key.spki() != public_key.spki() {
        return Err(Error::KeyMismatch {
            private_file: private_file.to_owned(),
            public_file: public_file.to_owned(),
        });
    }
    Ok(KeyPair {
        key: private_key,
        exposed: exposure.map(|exposure| ExposedKey {
            path: private_file.to_owned(),
            exposure,
        }),
    })
}

/// `create` makes a new file, and neither overwrites one nor follows a link that somebody put
/// there.
fn write_new(
    path: &Path,
    content: &[u8],
    create: impl FnOnce(&Path) -> io::Result<File>,
) -> Result<(), Error> {
    let mut file = create(path).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => Error::KeyFileExists {
            path: path.to_owned(),
        },
        _ => Error::KeyFile {
            path: path.to_owned(),
            source,
        },
    })?;
    file.write_all(content)
        // On the disk before success is told: the key cannot be made again.
        .and_then(|()| file.sync_all())
        .map_err(|source| {
            drop(fs::remove_file(path));
            Error::KeyFile {
                path: path.to_owned(),
                source,
            }
        })
}

/// Makes a file that everybody may read, and its owner alone may change.
fn create_public(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o644);
    options.write(true).create_new(true).open(path)
}

/// The content of a file, and whether others may open it.
fn read_file(path: &Path) -> Result<(Vec<u8>, Option<Exposure>), Error> {
    let read = || {
        let file = BoundedFile::open(path)?;
        // Of the open file, not of the path, which may be another file by now.
        let exposure = private_file::exposure(file.file())?;
        Ok((file.read(MAX_KEY_FILE_BYTES)?, exposure))
    };
    read().map_err(|source| Error::KeyFile {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use attested_tls::KeyAlgorithm;

    use super::{keygen, read_keys};
    use crate::Error;

    #[test]
    fn keys_of_every_kind_are_read_back() {
        let folder = tempfile::tempdir().unwrap();
        for algorithm in KeyAlgorithm::ALL {
            let made = keygen(algorithm.name(), &folder.path().join("keys"), algorithm).unwrap();
            let read = read_keys(&made.private_file, &made.public_file).unwrap();
            assert_eq!(read.key.spki(), made.key.spki());
            assert_eq!(
                access::PublicKey::parse(&made.key.public_text())
                    .unwrap()
                    .spki(),
                made.key.spki()
            );
        }
    }

    #[test]
    fn an_rsa_key_is_written_as_the_workshops_are() {
        let folder = tempfile::tempdir().unwrap();
        let made = keygen("alice", folder.path(), KeyAlgorithm::Rsa2048).unwrap();
        assert!(made.key.public_text().starts_with("MIIBCgKCAQEA"));
        assert_eq!(fs::read(made.public_file).unwrap().len(), 270);
    }

    #[test]
    fn the_private_key_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let made = keygen("alice", folder.path(), KeyAlgorithm::P256).unwrap();
        let read = read_keys(&made.private_file, &made.public_file).unwrap();
        assert_eq!(read.exposed, None);
    }

    #[cfg(unix)]
    #[test]
    fn a_private_key_that_is_open_to_others_is_said_so() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let made = keygen("alice", folder.path(), KeyAlgorithm::P256).unwrap();
        fs::set_permissions(&made.private_file, fs::Permissions::from_mode(0o640)).unwrap();
        let read = read_keys(&made.private_file, &made.public_file).unwrap();
        let file = made.private_file.display();
        assert_eq!(
            read.exposed.unwrap().to_string(),
            format!(
                "the private key in {file} is open to other users of this machine (mode 0640); \
                 run `chmod 600 {file}`"
            )
        );
    }

    #[test]
    fn nothing_is_overwritten_and_no_half_pair_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let made = keygen("alice", folder.path(), KeyAlgorithm::P256).unwrap();
        let before = fs::read(&made.private_file).unwrap();
        assert!(matches!(
            keygen("alice", folder.path(), KeyAlgorithm::P256),
            Err(Error::KeyFileExists { .. })
        ));
        assert_eq!(fs::read(&made.private_file).unwrap(), before);

        fs::remove_file(&made.private_file).unwrap();
        assert!(matches!(
            keygen("alice", folder.path(), KeyAlgorithm::P256),
            Err(Error::KeyFileExists { path }) if path == made.public_file
        ));
        assert!(!made.private_file.exists());
    }

    #[test]
    fn keys_of_different_pairs_do_not_go_together() {
        let folder = tempfile::tempdir().unwrap();
        let alice = keygen("alice", folder.path(), KeyAlgorithm::P256).unwrap();
        let bob = keygen("bob", folder.path(), KeyAlgorithm::Ed25519).unwrap();
        assert!(matches!(
            read_keys(&alice.private_file, &bob.public_file),
            Err(Error::KeyMismatch { .. })
        ));
        assert!(matches!(
            read_keys(&alice.public_file, &alice.public_file),
            Err(Error::PrivateKey { .. })
        ));
        assert!(matches!(
            read_keys(&alice.private_file, &folder.path().join("none")),
            Err(Error::KeyFile { .. })
        ));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_is_longer_than_any_key_is_refused_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let alice = keygen("alice", folder.path(), KeyAlgorithm::P256).unwrap();
        let error = read_keys(&alice.private_file, "/dev/zero".as_ref()).unwrap_err();
        let sentence = error.to_string();
        assert!(
            sentence.contains("/dev/zero") && sentence.contains("65536 bytes"),
            "{sentence}"
        );
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["", "../alice", "a/b", ".hidden", "alice bob"] {
            assert!(
                matches!(
                    keygen(name, folder.path(), KeyAlgorithm::P256),
                    Err(Error::KeyName { .. })
                ),
                "{name}"
            );
        }
    }
}
