//! The same image on QEMU's own Nitro machine, which loads the image file itself and measures it by code that is not ours.
//!
//! No Debian package has that machine, but Debian's source of QEMU does: it is built once, without anything else in it. Its security module does not sign its
//! documents, so that every client of ours must refuse them; what they claim is read by a program that trusts anyone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::process::Process;
use super::stage::{PARTIES, Stage};
use super::{party, told, vsock};
use crate::debian::Apt;
use crate::run;

const RELEASE: &str = "trixie";
/// What QEMU's build needs of the machine.
const NEEDED: [(&str, &str); 5] = [
    ("ninja-build", "/usr/bin/ninja"),
    ("libcbor-dev", "/usr/include/cbor.h"),
    ("libglib2.0-dev", "/usr/include/glib-2.0/glib.h"),
    ("libgnutls28-dev", "/usr/include/gnutls/gnutls.h"),
    ("libfdt-dev", "/usr/include/libfdt.h"),
];
/// QEMU's own build tools, which Debian's source leaves out.
const BUILD_TOOLS: [&str; 2] = ["meson==1.5.0", "pycotap==1.3.1"];
const CONFIGURE: &str = "--target-list=x86_64-softmmu --without-default-features --without-default-devices --with-devices-x86_64=nitro \
    --enable-system --disable-user --disable-tools --disable-guest-agent --disable-docs --enable-kvm --enable-tcg --enable-libcbor \
    --enable-gnutls --enable-fdt=system --enable-vhost-user --disable-werror --disable-install-blobs";
const BOOT: Duration = Duration::from_secs(180);
