//! Files and their access lists.
#![expect(
    unsafe_code,
    reason = "the standard library can neither make a file with an access list nor read one"
)]

use std::ffi::c_void;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::Path;
use std::ptr::null_mut;
use std::slice;

use windows_sys::Win32::Foundation::{GENERIC_WRITE, INVALID_HANDLE_VALUE, LocalFree};
use windows_sys::Win32::Security::Authorization::{
    ConvertSecurityDescriptorToStringSecurityDescriptorW, ConvertSidToStringSidW,
    ConvertStringSecurityDescriptorToSecurityDescriptorW, GetSecurityInfo, SDDL_REVISION_1,
    SE_FILE_OBJECT,
};
use windows_sys::Win32::Security::{
    DACL_SECURITY_INFORMATION, GetTokenInformation, OBJECT_SECURITY_INFORMATION,
    OWNER_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, SECURITY_ATTRIBUTES, TOKEN_QUERY, TOKEN_USER,
    TokenUser,
};
use windows_sys::Win32::Storage::FileSystem::{CREATE_NEW, CreateFileW, FILE_ATTRIBUTE_NORMAL};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use crate::access_list;

/// Who may open a file besides its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exposure {
    others: Vec<String>,
    /// The security identifier of the user of this program.
    user: String,
}

pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    // By the user and not by the owner, which for an administrator is the group of them all. `P`:
    // nothing is inherited from the folder.
    create_with(path, &format!("D:P(A;;FA;;;{})", current_user()?))
}

/// Makes a file that has this access list from its first moment.
fn create_with(path: &Path, list: &str) -> io::Result<File> {
    let list = Descriptor::parse(list)?;
    let attributes = SECURITY_ATTRIBUTES {
        nLength: size_of::<SECURITY_ATTRIBUTES>()
            .try_into()
            .expect("a few words are few bytes"),
        lpSecurityDescriptor: list.0.0,
        bInheritHandle: 0,
    };
    let path = wide(path.as_os_str().encode_wide())?;
    // SAFETY: the path ends with a zero, and it, the attributes and the descriptor that they point
    // to outlive the call.
    let handle = unsafe {
        CreateFileW(
            path.as_ptr(),
            GENERIC_WRITE,
            // Nobody else opens it before it is written.
            0,
            &attributes,
            // Which fails where anything is, a link as well.
            CREATE_NEW,
            FILE_ATTRIBUTE_NORMAL,
            null_mut(),
        )
    };
    if handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has just made this handle, and nobody else has it.
    Ok(unsafe { File::from_raw_handle(handle) })
}

pub(crate) fn exposure(file: &File) -> io::Result<Option<crate::Exposure>> {
    let user = current_user()?;
    // As Windows writes it in a descriptor, where some accounts have abbreviations.
    let written = Descriptor::parse(&format!("O:{user}"))?.text(OWNER_SECURITY_INFORMATION)?;
    // A file system that has no lists may say so by an error: what cannot be told is open.
    let list = Descriptor::of(file).and_then(|it| it.text(DACL_SECURITY_INFORMATION));
    let list = list.unwrap_or_default();
    let others = access_list::others(&list, written.strip_prefix("O:").unwrap_or(&user));
    Ok((!others.is_empty()).then_some(crate::Exposure(Exposure { others, user })))
}

impl Exposure {
    pub(crate) fn remedy(&self, path: &Path) -> String {
        let (path, user) = (argument(path), &self.user);
        // The first takes away what was given to others by name, the second what the folder gives.
        format!("`icacls {path} /reset` and then `icacls {path} /inheritance:r /grant:r *{user}:F`")
    }
}

impl fmt::Display for Exposure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "to {}", self.others.join(", "))
    }
}

/// The path as both shells of Windows take it, in which there can be no quotation mark.
fn argument(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || br"\/:._-".contains(&byte);
    match text.bytes().all(plain) {
        true => text,
        false => format!("\"{text}\""),
    }
}

/// The security identifier of the user as whom this program runs.
fn current_user() -> io::Result<String> {
    let mut token = null_mut();
    // SAFETY: the pseudo handle of this process is always valid, and `token` is written to.
    succeeded(unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &mut token) })?;
    // SAFETY: the call has just made this handle, and nobody else has it.
    let token = unsafe { OwnedHandle::from_raw_handle(token) };
    // The longest identifier has 68 bytes. In words, as the structure is aligned like a pointer.
    let mut buffer = [0_usize; 32];
    let size = size_of_val(&buffer).try_into().expect("a few words");
    let mut needed = 0;
    // SAFETY: the buffer has `size` bytes.
    succeeded(unsafe {
        GetTokenInformation(
            token.as_raw_handle(),
            TokenUser,
            buffer.as_mut_ptr().cast(),
            size,
            &mut needed,
        )
    })?;
    let user: *const TOKEN_USER = buffer.as_ptr().cast();
    let mut text = null_mut();
    // SAFETY: the call before has written the structure to the buffer, which is aligned for it, and
    // the identifier that it points to behind it.
    succeeded(unsafe { ConvertSidToStringSidW((*user).User.Sid, &mut text) })?;
    // SAFETY: the call has allocated this text, which ends with a zero.
    Ok(unsafe { Allocated::text(text) })
}

/// A security descriptor that Windows has allocated.
struct Descriptor(Allocated);

impl Descriptor {
    fn parse(text: &str) -> io::Result<Self> {
        let text = wide(text.encode_utf16())?;
        let mut descriptor: PSECURITY_DESCRIPTOR = null_mut();
        // SAFETY: the text ends with a zero, and `descriptor` is written to.
        succeeded(unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &mut descriptor,
                null_mut(),
            )
        })?;
        Ok(Self(Allocated(descriptor)))
    }

    /// The access list of an open file.
    fn of(file: &File) -> io::Result<Self> {
        let mut descriptor: PSECURITY_DESCRIPTOR = null_mut();
        // SAFETY: the handle is open as long as the file is borrowed; of what can be written to,
        // only `descriptor` is asked for.
        let code = unsafe {
            GetSecurityInfo(
                file.as_raw_handle(),
                SE_FILE_OBJECT,
                DACL_SECURITY_INFORMATION,
                null_mut(),
                null_mut(),
                null_mut(),
                null_mut(),
                &mut descriptor,
            )
        };
        match i32::try_from(code) {
            Ok(0) => Ok(Self(Allocated(descriptor))),
            Ok(code) => Err(io::Error::from_raw_os_error(code)),
            Err(_) => Err(io::Error::other(format!("error {code}"))),
        }
    }

    fn text(&self, part: OBJECT_SECURITY_INFORMATION) -> io::Result<String> {
        let mut text = null_mut();
        // SAFETY: the descriptor is valid until it is dropped, and `text` is written to.
        succeeded(unsafe {
            ConvertSecurityDescriptorToStringSecurityDescriptorW(
                self.0.0,
                SDDL_REVISION_1,
                part,
                &mut text,
                null_mut(),
            )
        })?;
        // SAFETY: the call has allocated this text, which ends with a zero.
        Ok(unsafe { Allocated::text(text) })
    }
}

/// What Windows has allocated with `LocalAlloc` for its caller, who frees it.
struct Allocated(*mut c_void);

impl Allocated {
    /// Takes a text over, and frees what it was in.
    ///
    /// # Safety
    /// The text was allocated by `LocalAlloc` for the caller, and ends with a zero.
    unsafe fn text(start: *mut u16) -> String {
        let text = Self(start.cast());
        // SAFETY: as the caller says, and it is not read beyond its end.
        let units = unsafe {
            let length = (0..).take_while(|at| *start.add(*at) != 0).count();
            slice::from_raw_parts(start, length)
        };
        let read = String::from_utf16_lossy(units);
        drop(text);
        read
    }
}

impl Drop for Allocated {
    fn drop(&mut self) {
        // SAFETY: `LocalAlloc` gave this to us, and nobody else frees it.
        unsafe { LocalFree(self.0) };
    }
}

/// With the zero at its end by which Windows knows it.
fn wide(text: impl Iterator<Item = u16>) -> io::Result<Vec<u16>> {
    let mut text: Vec<u16> = text.collect();
    // It would end there, and be another path.
    if text.contains(&0) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    text.push(0);
    Ok(text)
}

fn succeeded(result: i32) -> io::Result<()> {
    match result {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_is_for_its_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let file = create_new(&path).unwrap();
        assert_eq!(crate::exposure(&file).unwrap(), None);
        let list = Descriptor::of(&file).unwrap();
        let list = list.text(DACL_SECURITY_INFORMATION).unwrap();
        assert!(list.contains(&current_user().unwrap()), "{list}");
        let again = create_new(&path).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn a_file_that_others_may_open_is_told_with_the_commands_that_close_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("open");
        let list = format!("D:P(A;;FA;;;{})(A;;FR;;;WD)", current_user().unwrap());
        let file = create_with(&path, &list).unwrap();
        let exposure = crate::exposure(&file).unwrap().unwrap();
        assert_eq!(exposure.to_string(), "to Everyone");
        let user = current_user().unwrap();
        assert_eq!(
            exposure.remedy(r"C:\my keys\a.der".as_ref()),
            format!(
                "`icacls \"C:\\my keys\\a.der\" /reset` and then `icacls \"C:\\my keys\\a.der\" \
                 /inheritance:r /grant:r *{user}:F`"
            )
        );
    }
}
