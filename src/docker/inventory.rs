//! Everything that is on an engine, so that before and after can be compared.

use std::collections::BTreeSet;

use bollard::query_parameters::{ListImagesOptions, ListNetworksOptions};

use super::agent_image::agent_name;
use super::{Engine, EngineError};

impl Engine {
    /// Containers, volumes, networks and images, whoever made them; agent images are left out.
    ///
    /// # Errors
    /// The engine refuses.
    pub async fn inventory(&self) -> Result<BTreeSet<String>, EngineError> {
        let containers = self.list(&[]).await?;
        let volumes = self.list_volumes(&[]).await?;
        let networks = self.docker.list_networks(None::<ListNetworksOptions>);
        let networks = self.look("list networks", networks).await?;
        let images = self.docker.list_images(None::<ListImagesOptions>);
        let images = self.look("list images", images).await?;
        let mut all = BTreeSet::new();
        all.extend(containers.into_iter().map(|c| format!("container {} {}", c.name, c.id)));
        all.extend(volumes.into_iter().map(|v| format!("volume {}", v.name)));
        all.extend(
            networks
                .into_iter()
                .map(|n| format!("network {} {}", n.name.unwrap_or_default(), n.id.unwrap_or_default())),
        );
        let others = images.into_iter().filter(|i| agent_name(i).is_none());
        all.extend(others.map(|i| format!("image {} {}", i.repo_tags.join(","), i.id)));
        Ok(all)
    }
}
