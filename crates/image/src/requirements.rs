//! What a kernel must have for the enclave's program to run on it.

use std::collections::BTreeMap;

/// A kernel's configuration: the lines `CONFIG_X=y` of its `.config`.
#[derive(Debug, Clone, Default)]
pub struct KernelConfig {
    options: BTreeMap<String, String>,
}

impl KernelConfig {
    /// Reads such a file; comments and other lines are passed over.
    pub fn parse(text: &str) -> KernelConfig {
        let options = text
            .lines()
            .filter(|line| line.starts_with("CONFIG_"))
            .filter_map(|line| line.trim_end().split_once('='))
            .map(|(option, value)| (option.to_owned(), value.to_owned()))
            .collect();
        KernelConfig { options }
    }

    fn is_built_in(&self, option: &str) -> bool {
        self.options.get(option).is_some_and(|value| value == "y")
    }
}

/// An option that the kernel must have, the module that serves as well, and why.
struct Requirement {
    option: &'static str,
    module: Option<&'static str>,
    reason: &'static str,
}

const fn built_in(option: &'static str, reason: &'static str) -> Requirement {
    Requirement {
        option,
        module: None,
        reason,
    }
}

const fn or_module(
    option: &'static str,
    module: &'static str,
    reason: &'static str,
) -> Requirement {
    Requirement {
        option,
        module: Some(module),
        reason,
    }
}

const REQUIREMENTS: &[Requirement] = &[
    built_in("CONFIG_64BIT", "the program is for x86-64"),
    built_in("CONFIG_BLK_DEV_INITRD", "everything comes from ramdisks"),
    built_in("CONFIG_BINFMT_ELF", "the program is an ELF file"),
    built_in("CONFIG_PROC_FS", "init reads the command line from /proc"),
    built_in("CONFIG_SYSFS", "init mounts /sys"),
    built_in("CONFIG_DEVTMPFS", "init finds its devices in /dev"),
    built_in(
        "CONFIG_SERIAL_8250_CONSOLE",
        "events go to the console, which is a serial line",
    ),
    or_module(
        "CONFIG_VIRTIO_MMIO",
        "virtio_mmio",
        "the enclave's devices are virtio-mmio",
    ),
    or_module(
        "CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES",
        "virtio_mmio_cmdline",
        "the command line says where the devices are",
    ),
    or_module(
        "CONFIG_VSOCKETS",
        "vsock",
        "parties are reached through vsock",
    ),
    or_module(
        "CONFIG_VIRTIO_VSOCKETS",
        "vmw_vsock_virtio_transport",
        "vsock runs over virtio",
    ),
    or_module("CONFIG_NSM", "nsm", "evidence comes from the NSM device"),
];

/// An option that a kernel lacks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lacking {
    /// It must be built in.
    #[error("the kernel lacks {option}=y: {reason}")]
    Option {
        /// Such as `CONFIG_PROC_FS`.
        option: &'static str,
        /// Why it is needed.
        reason: &'static str,
    },
    /// It is neither built in nor among the modules.
    #[error(
        "the kernel lacks {option}, and the module {module} is not among those given: {reason}"
    )]
    OptionOrModule {
        /// Such as `CONFIG_NSM`.
        option: &'static str,
        /// Such as `nsm`.
        module: &'static str,
        /// Why it is needed.
        reason: &'static str,
    },
    /// Modules were given to a kernel that takes none.
    #[error("the kernel lacks CONFIG_MODULES=y, so that it can load none of the modules given")]
    Modules,
}

/// Everything that a kernel with these modules lacks; nothing if the enclave's program can run on
/// it.
pub fn lacking(config: &KernelConfig, modules: &[&str]) -> Vec<Lacking> {
    let no_modules = !modules.is_empty() && !config.is_built_in("CONFIG_MODULES");
    let options = REQUIREMENTS
        .iter()
        .filter(|requirement| {
            let as_module = requirement
                .module
                .is_some_and(|module| modules.contains(&module));
            !config.is_built_in(requirement.option) && !as_module
        })
        .map(|requirement| match requirement.module {
            None => Lacking::Option {
                option: requirement.option,
                reason: requirement.reason,
            },
            Some(module) => Lacking::OptionOrModule {
                option: requirement.option,
                module,
                reason: requirement.reason,
            },
        });
    no_modules
        .then_some(Lacking::Modules)
        .into_iter()
        .chain(options)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: &str = "\
# Linux/x86 6.12 Kernel Configuration
CONFIG_64BIT=y
CONFIG_MODULES=y
CONFIG_BLK_DEV_INITRD=y
CONFIG_BINFMT_ELF=y
CONFIG_PROC_FS=y
CONFIG_SYSFS=y
CONFIG_DEVTMPFS=y
CONFIG_SERIAL_8250_CONSOLE=y
CONFIG_VIRTIO_MMIO=y
CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES=y
CONFIG_VSOCKETS=y
CONFIG_VIRTIO_VSOCKETS=y
CONFIG_NSM=m
";

    fn messages(config: &str, modules: &[&str]) -> Vec<String> {
        lacking(&KernelConfig::parse(config), modules)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn an_option_that_is_a_module_counts_once_the_module_is_given() {
        assert_eq!(
            messages(COMPLETE, &[]),
            [
                "the kernel lacks CONFIG_NSM, and the module nsm is not among those given: \
              evidence comes from the NSM device"
            ]
        );
        assert!(messages(COMPLETE, &["nsm"]).is_empty());
    }

    #[test]
    fn each_required_option_is_missed_by_its_name() {
        for requirement in REQUIREMENTS {
            let without = COMPLETE.replace(
                &format!("{}=y\n", requirement.option),
                &format!("# {} is not set\n", requirement.option),
            );
            if requirement.option == "CONFIG_NSM" {
                continue;
            }
            let found = messages(&without, &["nsm"]);
            assert_eq!(found.len(), 1, "{}", requirement.option);
            assert!(found[0].contains(requirement.option), "{found:?}");
        }
    }

    #[test]
    fn a_kernel_that_loads_no_modules_is_refused_with_modules_only() {
        let config = COMPLETE
            .replace("CONFIG_MODULES=y", "# CONFIG_MODULES is not set")
            .replace("CONFIG_NSM=m", "CONFIG_NSM=y");
        assert!(messages(&config, &[]).is_empty());
        let found = messages(&config, &["vsock"]);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("CONFIG_MODULES"), "{found:?}");
    }
}
