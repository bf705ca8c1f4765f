//! The network of workspaces: made if it is missing, never removed if it was there.

use std::collections::BTreeMap;
use std::net::IpAddr;

use bollard::models::{
    EndpointSettings, NetworkConnectRequest, NetworkCreateRequest, NetworkDisconnectRequest,
};
use bollard::query_parameters::InspectNetworkOptions;

use super::{Engine, EngineError, ErrorKind, Listed};

/// A network.
#[derive(Clone, Debug)]
pub struct Network {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The bridge's address on this machine, when the engine runs on it.
    pub gateway: Option<IpAddr>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

impl Engine {
    /// The network of a name.
    ///
    /// # Errors
    /// The engine refuses.
    pub async fn network(&self, name: &str) -> Result<Option<Network>, EngineError> {
        let found = self.docker.inspect_network(name, None::<InspectNetworkOptions>);
        let found = match self.look(&format!("look at the network {name}"), found).await {
            Ok(found) => found,
            Err(gone) if gone.kind == ErrorKind::NotFound => return Ok(None),
            Err(other) => return Err(other),
        };
        let configs = found.ipam.and_then(|i| i.config).unwrap_or_default();
        let gateway = configs.iter().filter_map(|c| c.gateway.as_deref()?.split('/').next()?.parse().ok());
        Ok(Some(Network {
            id: found.id.unwrap_or_default(),
            name: found.name.unwrap_or_default(),
            gateway: gateway.into_iter().find(|ip: &IpAddr| ip.is_ipv4()),
            labels: found.labels.unwrap_or_default().into_iter().collect(),
        }))
    }

    /// The network of a name, made with these labels if it is missing.
    ///
    /// # Errors
    /// The engine refuses.
    pub async fn ensure_network(
        &self,
        name: &str,
        labels: &BTreeMap<String, String>,
    ) -> Result<Network, EngineError> {
        if let Some(found) = self.network(name).await? {
            return Ok(found);
        }
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            driver: Some("bridge".to_owned()),
            labels: Some(labels.clone().into_iter().collect()),
            ..NetworkCreateRequest::default()
        };
        let made = self.docker.create_network(request);
        match self.change(&format!("make the network {name}"), made).await {
            // Somebody made it between our look and our asking.
            Ok(_) => {}
            Err(error) if error.kind == ErrorKind::Conflict => {}
            Err(error) => return Err(error),
        }
        self.network(name).await?.ok_or_else(|| {
            EngineError::new(ErrorKind::Other, format!("the network {name} was made and is not there"))
        })
    }

    /// The containers that are meant to hang on a network, also those that do not run: the network itself names only
    /// those that do.
    ///
    /// # Errors
    /// The engine refuses.
    pub async fn on_network(&self, network: &Network) -> Result<Vec<Listed>, EngineError> {
        // One that was never started knows the network by its name alone.
        self.list(&[("network", &network.id), ("network", &network.name)]).await
    }

    /// Removes a network; says whether there was one.
    ///
    /// # Errors
    /// Something hangs on it, or the engine refuses.
    pub async fn remove_network(&self, id: &str) -> Result<bool, EngineError> {
        match self.change(&format!("remove the network {id}"), self.docker.remove_network(id)).await {
            Ok(()) => Ok(true),
            Err(gone) if gone.kind == ErrorKind::NotFound => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// Takes a container off a network.
    ///
    /// # Errors
    /// It does not hang on it, or the engine refuses.
    pub async fn disconnect(&self, network: &str, container: &str) -> Result<(), EngineError> {
        let request = NetworkDisconnectRequest { container: container.to_owned(), force: Some(true) };
        let done = self.docker.disconnect_network(network, request);
        self.change(&format!("take {container} off {network}"), done).await
    }

    /// Puts a container on a network, under an alias.
    ///
    /// # Errors
    /// It hangs on it already, or the engine refuses.
    pub async fn connect_network(
        &self,
        network: &str,
        container: &str,
        alias: &str,
    ) -> Result<(), EngineError> {
        let request = NetworkConnectRequest {
            container: container.to_owned(),
            endpoint_config: Some(EndpointSettings {
                aliases: Some(vec![alias.to_owned()]),
                ..EndpointSettings::default()
            }),
        };
        let done = self.docker.connect_network(network, request);
        self.change(&format!("put {container} on {network}"), done).await
    }
}
