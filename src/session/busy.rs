//! A machine that had no time for a run whose platform is a part of it.

use std::collections::BTreeMap;

use crate::event::Diagnosis;

/// So many tasks that want to run wait for each core, and nobody is served in time.
const CROWDED: f64 = 3.0;

/// The causes that say that no answer came.
const HANGS: [&str; 2] = ["server-hangs", "server-datastore-hangs"];

/// What is said of reds by which the platform hung: it is in this process, so that nobody else can have hung it.
pub(super) fn told(diagnoses: &BTreeMap<String, Diagnosis>) -> Option<String> {
    let hung = diagnoses.values().filter(|one| HANGS.contains(&one.mechanism.as_str())).count();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    text(hung, load()?, cores)
}

fn text(hung: usize, load: f64, cores: usize) -> Option<String> {
    if hung == 0 || load < CROWDED * cores as f64 {
        return None;
    }
    let cores_text = if cores == 1 { "1 core".to_owned() } else { format!("{cores} cores") };
    let (reds, say) = if hung == 1 { ("1 red".to_owned(), "says") } else { (format!("{hung} reds"), "say") };
    Some(format!(
        "{reds} {say} that the server did not answer in time, and it is a part of this process: this machine was busy, load \
         {load:.0} on {cores_text}; --jobs {} runs fewer scenarios at once",
        cores * 4
    ))
}

/// Of the last minute, where the system tells.
fn load() -> Option<f64> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_machine_is_told_where_something_hung() {
        for (hung, load, cores, says) in [
            (0, 50.0, 2, None),
            (3, 5.9, 2, None),
            (3, 15.0, 2, Some("3 reds say")),
            (1, 15.0, 2, Some("load 15 on 2 cores; --jobs 8")),
            (1, 3.0, 1, Some("load 3 on 1 core; --jobs 4")),
        ] {
            let told = text(hung, load, cores);
            assert_eq!(told.is_some(), says.is_some(), "{hung} {load} {cores}: {told:?}");
            assert!(says.is_none_or(|says| told.as_deref().is_some_and(|t| t.contains(says))), "{told:?}");
        }
    }
}
