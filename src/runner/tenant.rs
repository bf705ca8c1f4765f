//! Names of the tenant's (global) secrets: they are in every environment too (contract §8.4, 1).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::context::{ScenarioContext, StepRun};
use crate::event::EventKind;
use crate::platform::{Auth, record};

/// Where the list is.
pub const ROUTE: &str = "/settings/secrets";

/// What is known of them, read once and again after this run changed one.
#[derive(Debug, Default)]
pub struct Tenant {
    names: Mutex<Option<Names>>,
    reading: tokio::sync::Mutex<()>,
}

/// Their names; `None` when the server does not tell.
pub type Names = Option<Arc<BTreeSet<String>>>;

impl Tenant {
    /// The names, once they were read.
    pub fn names(&self) -> Names {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).clone().flatten()
    }

    /// This run changed one: what is known is old.
    pub fn changed(&self) {
        self.set(None);
    }

    /// Reads them if that was not done yet; a server that does not tell is a warning, once.
    pub async fn learn(&self, context: &ScenarioContext, step: &StepRun) {
        let _one = self.reading.lock().await;
        if self.names.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            return;
        }
        let request = context.run.api.request("GET", ROUTE, &Auth::Admin);
        let why = match context.fetch(step, "names of the tenant's secrets", request).await {
            Ok(answer) => match record::list(answer.json.as_ref()).filter(|_| answer.status == 200) {
                Some(rows) => {
                    let names = rows.iter().map(|row| record::text(row, "key").to_owned());
                    return self.set(Some(Some(Arc::new(names.filter(|name| !name.is_empty()).collect()))));
                }
                None => super::steps::answer::describe(&answer),
            },
            Err(error) => error.text,
        };
        self.set(Some(None));
        let text = format!(
            "the tenant's secrets are not known (GET {ROUTE}: {why}): whether vendor keys come from there is not judged"
        );
        context.run.log.emit(EventKind::Warning { scenario: None, text });
    }

    fn set(&self, names: Option<Names>) {
        *self.names.lock().unwrap_or_else(PoisonError::into_inner) = names;
    }
}
