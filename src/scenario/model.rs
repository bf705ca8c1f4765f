//! A checked scenario: valid by construction, with the span of everything that can fail later.

pub(crate) mod answer;
pub(crate) mod capability;
pub(crate) mod document;
pub(crate) mod field;
pub(crate) mod input;
pub(crate) mod matcher;

pub(crate) use answer::{Answer, Identity, StatusPattern};
pub(crate) use capability::Capability;
pub use document::Scenario;
pub(crate) use field::{Condition, ConditionTest, DurationField, WorkspaceRef};
pub(crate) use input::{Gate, Input, InputKind, StepGate};
pub(crate) use matcher::{Bounds, JsonPath, Matcher, MatcherTest};

pub(crate) use super::verbs::Verb;
pub use super::verbs::{Step, walk};
pub(crate) use super::verbs::{
    a2a::{A2a, Envelope, PartKey, Reply, Say},
    r#await::Await,
    billing::Billing,
    container::ContainerVerb,
    create::{Create, Credentials, ModelField},
    edge::Edge,
    exec::Exec,
    expect::{ActivityRow, ActivitySource, ContainerExpect, Expect},
    heartbeat::Heartbeat,
    hold::Hold,
    http::{Http, HttpBody, Picked},
    inbox::Inbox,
    model::ModelChange,
    org::Org,
    register::Register,
    secret::Secret,
    stub::{Stub, StubAct},
    terminate::Terminate,
    token::{TokenAction, TokenVerb},
    wake::Wake,
};
