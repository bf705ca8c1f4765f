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
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let after_name = &stat[stat.rfind(')')? + 1..];
    let mut fields = after_name.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
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
        assert_eq!(Owner { host: "elsewhere".into(), ..this }.lives(), None);
        assert_eq!(Owner::parse("nonsense"), None);
    }
}
