//! Volumes: made with labels, removed by name.

use std::collections::BTreeMap;

use bollard::models::VolumeCreateRequest;
use bollard::query_parameters::{ListVolumesOptions, RemoveVolumeOptions};

use super::{Engine, EngineError, ErrorKind, filters};

/// A volume that there is.
#[derive(Clone, Debug)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// When it was made, RFC 3339.
    pub created_at: String,
}

impl Engine {
    /// Makes a volume; one that is there stays as it is.
    ///
    /// # Errors
    /// The engine refuses.
    pub async fn make_volume(
        &self,
        name: &str,
        labels: &BTreeMap<String, String>,
    ) -> Result<(), EngineError> {
        let request = VolumeCreateRequest {
            name: Some(name.to_owned()),
            labels: Some(labels.clone().into_iter().collect()),
            ..VolumeCreateRequest::default()
        };
        let made = self.docker.create_volume(request);
        self.change(&format!("make the volume {name}"), made).await.map(|_| ())
    }

    /// Removes a volume; says whether there was one.
    ///
    /// # Errors
    /// It is in use, or the engine refuses.
    pub async fn remove_volume(&self, name: &str) -> Result<bool, EngineError> {
        // Forced removal is answered 204 for a volume that is not there as well.
        let removed = self.docker.remove_volume(name, Some(RemoveVolumeOptions { force: false }));
        match self.change(&format!("remove the volume {name}"), removed).await {
            Ok(()) => Ok(true),
            Err(gone) if gone.kind == ErrorKind::NotFound => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// Volumes whose label has this value (`None`: any value).
    ///
    /// # Errors
    /// The engine refuses.
    pub async fn volumes(&self, label: &str, value: Option<&str>) -> Result<Vec<Volume>, EngineError> {
        let wanted = value.map_or_else(|| label.to_owned(), |value| format!("{label}={value}"));
        self.list_volumes(&[("label", &wanted)]).await
    }

    /// The volumes of these names that there are.
    ///
    /// # Errors
    /// The engine refuses.
    pub async fn volumes_named(&self, names: &[String]) -> Result<Vec<Volume>, EngineError> {
        // The filter takes parts of names: only whole ones count.
        let pairs: Vec<(&str, &str)> = names.iter().map(|n| ("name", n.as_str())).collect();
        let mut found = self.list_volumes(&pairs).await?;
        found.retain(|volume| names.contains(&volume.name));
        Ok(found)
    }

    pub(super) async fn list_volumes(&self, pairs: &[(&str, &str)]) -> Result<Vec<Volume>, EngineError> {
        let options = ListVolumesOptions { filters: Some(filters(pairs)) };
        let listed = self.look("list volumes", self.docker.list_volumes(Some(options))).await?;
        let volumes = listed.volumes.unwrap_or_default().into_iter();
        Ok(volumes
            .map(|v| Volume {
                name: v.name,
                labels: v.labels.into_iter().collect(),
                created_at: v.created_at.unwrap_or_default(),
            })
            .collect())
    }
}
