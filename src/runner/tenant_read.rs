//! Reading the names of the tenant's secrets.

use std::sync::Arc;

use super::context::{ScenarioContext, StepRun};
use super::steps::answer::describe;
use super::tenant::ROUTE;
use crate::event::EventKind;
use crate::platform::{Auth, record};

/// Reads them if that was not done yet; a server that does not tell is a warning, once.
pub(super) async fn learn(context: &ScenarioContext, step: &StepRun) {
    let tenant = &context.run.tenant;
    let _one = tenant.reading.lock().await;
    if tenant.is_read() {
        return;
    }
    let request = context.run.api.request("GET", ROUTE, &Auth::Admin);
    let why = match context.fetch(step, "names of the tenant's secrets", request).await {
        Ok(answer) => match record::list(answer.json.as_ref()).filter(|_| answer.status == 200) {
            // A row that names no secret may be any.
            Some(rows) if rows.iter().all(|row| !record::text(row, "key").is_empty()) => {
                let names = rows.iter().map(|row| record::text(row, "key").to_owned());
                return tenant.set(Some(Some(Arc::new(names.collect()))));
            }
            Some(_) => "rows of the list have no `key`".to_owned(),
            None => describe(&answer),
        },
        Err(error) => error.text,
    };
    tenant.set(Some(None));
    let text = format!(
        "the tenant's secrets are not known (GET {ROUTE}: {why}): whether vendor keys come from there is not judged"
    );
    context.run.log.emit(EventKind::Warning { scenario: None, text });
}
