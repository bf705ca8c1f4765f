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
        let (was, is) = (Host::of(&self.host), Host::of(&here));
        was.name == is.name && was.boot != is.boot
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

/// `name/boot/namespace`. A reboot makes every process a stranger, and so does another namespace of processes: a
/// container on the host's network bears its name, and counts its processes by itself.
fn host() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let name = hostname::get().map(|h| h.to_string_lossy().into_owned()).unwrap_or_default();
    // `pid:[4026531836]`: a label has colons of its own.
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let namespace: String = namespace.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
    format!("{name}/{}/{namespace}", boot.trim().split('-').next().unwrap_or_default())
}

/// What [`host`] is made of.
struct Host<'a> {
    name: &'a str,
    boot: &'a str,
}

impl Host<'_> {
    fn of(host: &str) -> Host<'_> {
        let mut parts = host.split('/');
        let mut next = || parts.next().unwrap_or_default();
        Host { name: next(), boot: next() }
    }
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
        let of = |host: &str| Owner { host: host.to_owned(), ..this.clone() };
        let [name, boot, namespace] = this.host.split('/').collect::<Vec<_>>()[..] else {
            panic!("{this:?}")
        };
        assert!(!boot.is_empty() && !namespace.is_empty(), "{this:?}");
        let table = [
            ("this one", this.host.clone(), Some(true), false),
            ("another machine", format!("elsewhere/{boot}/{namespace}"), None, false),
            ("before a restart", format!("{name}/0/{namespace}"), None, true),
            ("another namespace of processes", format!("{name}/{boot}/1"), None, false),
            ("one that named no namespace", format!("{name}/{boot}"), None, false),
        ];
        for (where_, host, lives, earlier) in table {
            let owner = of(&host);
            assert_eq!((owner.lives(), owner.is_of_an_earlier_boot()), (lives, earlier), "{where_}");
            assert_eq!(Owner::parse(&owner.label()), Some(owner), "{where_}");
        }
        assert_eq!(Owner::parse("nonsense"), None);
    }
}
