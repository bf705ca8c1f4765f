//! A checked scenario: valid by construction, with the span of everything that can fail later.

pub mod answer;
pub mod capability;
pub mod document;
pub mod field;
pub mod input;
pub mod matcher;

pub use answer::{Answer, Identity, StatusPattern};
pub use capability::Capability;
pub use document::{ExpectFailure, Scenario};
pub use field::{Condition, ConditionTest, DurationField, Retry, WorkspaceRef};
pub use input::{Gate, Input, InputKind, StepGate};
pub use matcher::{Bounds, JsonPath, Matcher, MatcherTest};

pub use super::verbs::{Foreach, Step, Verb, walk};
pub use super::verbs::{
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
