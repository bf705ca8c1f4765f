//! Who made something: host, process and when that process started.

use std::fs;

/// A process, told apart from a later one with the same id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    host: String,
    pid: u32,
    started: u64,
}

impl Owner {
    /// This process.
    pub fn this() -> Owner {
        let pid = std::process::id();
        Owner { host: host(), pid, started: started(pid).unwrap_or_default() }
    }

    /// A process of this machine that runs.
    pub fn of(pid: u32) -> Option<Owner> {
        Some(Owner { host: host(), pid, started: started(pid)? })
    }

    /// It ran on this machine, which was started again since.
    pub fn is_of_an_earlier_boot(&self) -> bool {
        let here = host();
        let name = |host: &str| host.rsplit_once('/').map(|(name, _)| name.to_owned());
        self.host != here && name(&self.host) == name(&here)
    }

    /// Every process of a group.
    pub fn group(group: u32) -> Vec<Owner> {
        let member = |pid: &u32| stat(*pid).is_some_and(|(of, _)| of == group);
        all().into_iter().filter(member).filter_map(Owner::of).collect()
    }

    /// Every process that was started with this in its environment.
    pub fn with_variable(name: &str, value: &str) -> Vec<Owner> {
        let wanted = format!("{name}={value}").into_bytes();
        let has = |pid: &u32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|pair| pair == wanted)
        };
        all().into_iter().filter(has).filter_map(Owner::of).collect()
    }

    /// Its id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// When it started, in the system's ticks.
    pub fn started(&self) -> u64 {
        self.started
    }

    /// As a label.
    pub fn label(&self) -> String {
        format!("{}:{}:{}", self.host, self.pid, self.started)
    }

    /// From a label.
    pub fn parse(label: &str) -> Option<Owner> {
        let mut parts = label.rsplitn(3, ':');
        let started = parts.next()?.parse().ok()?;
        let pid = parts.next()?.parse().ok()?;
        Some(Owner { host: parts.next()?.to_owned(), pid, started })
    }

    /// Whether it still runs; `None` when that cannot be known from here.
    pub fn lives(&self) -> Option<bool> {
        (self.host == host()).then(|| started(self.pid) == Some(self.started))
    }
}

fn host() -> String {
    // A reboot makes every process a stranger: its id is part of the name.
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let name = hostname::get().map(|h| h.to_string_lossy().into_owned()).unwrap_or_default();
    format!("{name}/{}", boot.trim().split('-').next().unwrap_or_default())
}

/// The 22nd field of `/proc/<pid>/stat`: start time in ticks since boot. A zombie does not live.
fn started(pid: u32) -> Option<u64> {
    stat(pid).map(|(_, started)| started)
}

/// Process group and start time.
fn stat(pid: u32) -> Option<(u32, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let after_name = &stat[stat.rfind(')')? + 1..];
    let mut fields = after_name.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    let group = fields.nth(1)?.parse().ok()?;
    Some((group, fields.nth(16)?.parse().ok()?))
}

/// Ids of all processes.
fn all() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_again() {
        let this = Owner::this();
        assert_eq!(Owner::parse(&this.label()), Some(this.clone()));
        assert_eq!(this.lives(), Some(true));
        let earlier = Owner { started: this.started.wrapping_sub(1), ..this.clone() };
        assert_eq!(earlier.lives(), Some(false), "the same id, another process");
        let elsewhere = Owner { host: "elsewhere/0".into(), ..this.clone() };
        assert_eq!((elsewhere.lives(), elsewhere.is_of_an_earlier_boot()), (None, false));
        let name = this.host.split('/').next().unwrap_or_default();
        assert!(Owner { host: format!("{name}/0"), ..this.clone() }.is_of_an_earlier_boot());
        assert!(!this.is_of_an_earlier_boot());
        assert_eq!(Owner::parse("nonsense"), None);
    }
}
