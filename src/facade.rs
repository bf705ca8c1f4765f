//! What the binary, the tests and the benchmarks use of this crate, by the rooms that it comes from. Everything else is
//! its inside.

#![expect(missing_docs, reason = "a room is documented where it is")]

pub mod behaviour {
    pub use crate::behaviour::{Edition, Played};
    pub mod overlay {
        pub use crate::behaviour::overlay::{Accepted, Overlay, read};
    }
    pub mod page {
        pub use crate::behaviour::page::page;
    }
}
pub mod chance {
    pub use crate::chance::seeded;
}
pub mod cli {
    pub use crate::cli::main;
}
pub mod clock {
    pub use crate::clock::{Instant, simulate_wall, sleep, timeout, wall};
}
pub mod docker {
    pub use crate::docker::{Action, ContainerSpec, Engine, ErrorKind, Settings, names, tar};
    pub mod owned {
        pub use crate::docker::owned::Ending;
    }
    pub mod owner {
        pub use crate::docker::owner::Owner;
    }
}
pub mod domain {
    pub use crate::domain::{ExitCode, Secret};
}
pub mod event {
    pub use crate::event::{
        CancelReason, Class, Diagnosis, Event, EventKind, Log, RunFinished, ScenarioFinished, Verdict,
        read_events,
    };
}
pub mod http {
    pub use crate::http::{Client, Config, Payload, Request, Transport};
}
pub mod mechanism {
    pub mod again {
        pub use crate::mechanism::again::named_otherwise;
    }
    pub mod catalogue {
        pub use crate::mechanism::catalogue::find;
    }
}
pub mod models {
    pub use crate::models::{situation_file, workflow};
    pub mod allowlist {
        pub use crate::models::allowlist::Allowlist;
    }
    pub mod catalogue {
        pub use crate::models::catalogue::{Catalogue, lint};
    }
    pub mod contradictions {
        pub use crate::models::contradictions::CLASSES;
    }
    pub mod situation {
        pub use crate::models::situation::Fate;
    }
}
pub mod output {
    pub use crate::output::{Captured, Colour, Printer, Terminal, Verbosity};
}
pub mod platform {
    pub use crate::platform::record;
    pub use crate::platform::row::Row;
    pub mod control_plane {
        pub use crate::platform::control_plane::ControlPlane;
    }
    pub mod limits {
        pub use crate::platform::limits::Limits;
    }
}
pub mod redact {
    pub use crate::redact::Redactor;
}
pub mod reference {
    pub use crate::reference::{fault_runs, faults, provider, server};
    pub mod control_plane {
        pub use crate::reference::control_plane::{Options, Rule, Running, Timing, start};
    }
    pub mod options {
        pub use crate::reference::options::{AgentKind, BootTiming, Options};
    }
}
pub mod report {
    pub use crate::report::fold;
}
pub mod run {
    pub mod folder {
        pub use crate::run::folder::RunFolder;
    }
    pub mod ledger {
        pub use crate::run::ledger::Ledger;
    }
    pub mod signals {
        pub use crate::run::signals::{Signal, Signals};
    }
}
pub mod runner {
    pub mod again {
        pub use crate::runner::again::{Decision, Now, decide};
    }
    pub use crate::runner::{bundle, owing, sweep};
}
pub mod scenario {
    pub use crate::scenario::{
        Fragments, Scenario, expand_matrix, load, scenario_of, shipped, shipped_fragment_files,
        shipped_fragments,
    };
    pub mod known {
        pub use crate::scenario::known::KnownReds;
    }
    pub mod model {
        pub use crate::scenario::model::{Step, walk};
    }
    pub mod template {
        pub use crate::scenario::template::{Scope, Template};
    }
}
pub mod session {
    pub mod old_names {
        pub use crate::session::old_names::NOT_READ;
    }
    pub mod project {
        pub use crate::session::project::parse;
    }
    pub use crate::session::{
        Env, LibrarySettings, Outside, RunName, RunSettings, SessionError, Shell, TargetSettings, run,
    };
}
pub mod source {
    pub use crate::source::{Problem, SourceFile, Span};
}
pub mod targets {
    pub use crate::targets::{Asked, Kind, Settings, open, profile};
    pub mod docker {
        pub use crate::targets::docker::Settings;
    }
    pub mod embedded {
        pub use crate::targets::embedded::{Settings, proxy_env};
    }
    pub mod saas {
        pub use crate::targets::saas::{Desk, Leaks, Made, PurgeRules, Settings, Spread, purge};
    }
}
pub mod tls {
    pub use crate::tls::client;
}
pub mod wire {
    pub use crate::wire::{Asked, Fate, Fault, Network, Place, Side, What, serve};
}
