//! Kernel modules: what they need, and in which order they must be loaded.

use std::collections::BTreeMap;

/// A kernel module (`.ko`, not compressed).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    name: String,
    release: String,
    depends: Vec<String>,
    bytes: Vec<u8>,
}

impl Module {
    /// Reads what the module says about itself (its `.modinfo`: texts `key=value` between zero
    /// bytes).
    ///
    /// # Errors
    /// When it is not an ELF file, or lacks its name, the release that it is for, or its
    /// dependencies.
    pub fn parse(bytes: Vec<u8>) -> Result<Module, InvalidModule> {
        if !bytes.starts_with(b"\x7fELF") {
            return Err(InvalidModule::NotElf);
        }
        // Tools write `-` and `_` for one another in the names of modules.
        let name = text(&bytes, "name")?.replace('-', "_");
        let release = text(&bytes, "vermagic")?;
        let release = release.split(' ').next().unwrap_or(&release).to_owned();
        let depends = text(&bytes, "depends")?
            .split(',')
            .filter(|name| !name.is_empty())
            .map(|name| name.replace('-', "_"))
            .collect();
        Ok(Module {
            name,
            release,
            depends,
            bytes,
        })
    }

    /// Its name, with underscores, such as `vmw_vsock_virtio_transport`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The kernel's release that it was built for.
    pub fn release(&self) -> &str {
        &self.release
    }

    /// The names of the modules that must be loaded before it.
    pub fn depends(&self) -> &[String] {
        &self.depends
    }

    /// Returns the bytes of the module file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The value after `key=` at the beginning of a text.
fn text(bytes: &[u8], key: &'static str) -> Result<String, InvalidModule> {
    // With the zero byte before it, so that no other key that ends alike is taken for this one.
    let start = format!("\0{key}=");
    let start = start.as_bytes();
    bytes
        .windows(start.len())
        .position(|window| window == start)
        .map(|at| &bytes[at + start.len()..])
        .and_then(|value| value.split(|byte| *byte == 0).next())
        .and_then(|value| std::str::from_utf8(value).ok())
        .map(str::to_owned)
        .ok_or(InvalidModule::Lacks(key))
}

/// The modules in an order in which each comes after those that it depends on; else as given.
///
/// # Errors
/// When two have the same name, one needs a module that is not there, or some need each other.
pub fn load_order(modules: Vec<Module>) -> Result<Vec<Module>, InvalidModule> {
    let mut waiting: Vec<Module> = Vec::new();
    let mut seen: BTreeMap<String, ()> = BTreeMap::new();
    for module in modules {
        if seen.insert(module.name.clone(), ()).is_some() {
            return Err(InvalidModule::Repeated(module.name));
        }
        waiting.push(module);
    }
    for module in &waiting {
        if let Some(missing) = module.depends.iter().find(|name| !seen.contains_key(*name)) {
            return Err(InvalidModule::Needs {
                module: module.name.clone(),
                missing: missing.clone(),
            });
        }
    }
    let mut ordered: Vec<Module> = Vec::new();
    while !waiting.is_empty() {
        let loaded = |name: &String| ordered.iter().any(|module| module.name == *name);
        let Some(next) = waiting
            .iter()
            .position(|module| module.depends.iter().all(loaded))
        else {
            return Err(InvalidModule::Circle(waiting.swap_remove(0).name));
        };
        ordered.push(waiting.remove(next));
    }
    Ok(ordered)
}

/// Why modules cannot be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidModule {
    /// Compressed, or something else.
    #[error("it is not an ELF file, as kernel modules are")]
    NotElf,
    /// An ELF file, but no module.
    #[error("it is not a kernel module: it does not say its \"{0}\"")]
    Lacks(&'static str),
    /// Two of the modules have this name.
    #[error("there are two modules {0}")]
    Repeated(String),
    /// A dependency is missing.
    #[error("the module {module} needs the module {missing}, which is not there")]
    Needs {
        /// Name of the module.
        module: String,
        /// Name of the module that it needs.
        missing: String,
    },
    /// They need each other.
    #[error("the module {0} needs itself, through others")]
    Circle(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, depends: &str) -> Vec<u8> {
        format!("\x7fELF...\0license=GPL\0depends={depends}\0name={name}\0vermagic=6.12 SMP\0")
            .into_bytes()
    }

    fn order(modules: &[(&str, &str)]) -> Result<Vec<String>, InvalidModule> {
        let modules = modules
            .iter()
            .map(|(name, depends)| Module::parse(file(name, depends)))
            .collect::<Result<_, _>>()?;
        let ordered = load_order(modules)?;
        Ok(ordered.into_iter().map(|module| module.name).collect())
    }

    #[test]
    fn each_module_comes_after_those_it_needs() {
        let ordered = order(&[
            ("transport", "common,vsock"),
            ("common", "vsock"),
            ("nsm", ""),
            ("vsock", ""),
        ]);
        let expected = ["nsm", "vsock", "common", "transport"].map(str::to_owned);
        assert_eq!(ordered, Ok(expected.to_vec()));
    }

    #[test]
    fn what_cannot_be_loaded_is_told_by_name() {
        let needs = InvalidModule::Needs {
            module: "a".into(),
            missing: "b".into(),
        };
        assert_eq!(order(&[("a", "b")]), Err(needs));
        assert_eq!(
            order(&[("a", "b"), ("b", "a")]),
            Err(InvalidModule::Circle("a".into()))
        );
        assert_eq!(
            order(&[("a", ""), ("a", "")]),
            Err(InvalidModule::Repeated("a".into()))
        );
    }

    #[test]
    fn a_module_says_its_name_release_and_dependencies() {
        let module = Module::parse(file("virtio-mmio", "a-b,c")).expect("a module");
        assert_eq!(module.name(), "virtio_mmio");
        assert_eq!(module.release(), "6.12");
        assert_eq!(module.depends(), ["a_b", "c"]);
        let xz = Module::parse(b"\xfd7zXZ\0".to_vec());
        assert_eq!(xz, Err(InvalidModule::NotElf));
        let program = Module::parse(b"\x7fELF\0".to_vec());
        assert_eq!(program, Err(InvalidModule::Lacks("name")));
    }
}
