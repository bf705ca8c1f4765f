//! Further names of images.

use std::collections::BTreeMap;

use bollard::query_parameters::{RemoveImageOptions, TagImageOptions};

use super::{Engine, EngineError, ErrorKind};

impl Engine {
    /// Gives an image a further name; another image that bears it loses it.
    ///
    /// # Errors
    /// There is no such image, or the engine refuses.
    pub async fn tag(&self, image: &str, further: &str) -> Result<(), EngineError> {
        let slash = further.rfind('/').unwrap_or(0);
        let (repository, tag) = match further[slash..].rfind(':') {
            Some(colon) => (&further[..slash + colon], &further[slash + colon + 1..]),
            None => (further, "latest"),
        };
        let options = TagImageOptions { repo: Some(repository.to_owned()), tag: Some(tag.to_owned()) };
        let done = self.docker.tag_image(image, Some(options)).await;
        done.map_err(|e| self.error(&format!("call the image {image} {further}"), &e))
    }

    /// The environment that an image sets by itself.
    ///
    /// # Errors
    /// There is no such image, or the engine refuses.
    pub async fn image_env(&self, image: &str) -> Result<BTreeMap<String, String>, EngineError> {
        let found = self.docker.inspect_image(image).await;
        let found = found.map_err(|e| self.error(&format!("look at the image {image}"), &e))?;
        let lines = found.config.and_then(|c| c.env).unwrap_or_default();
        let pairs = lines.iter().filter_map(|line| line.split_once('='));
        Ok(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// Takes a name away; says whether there was one.
    ///
    /// # Errors
    /// Something uses it, or the engine refuses.
    pub async fn untag(&self, name: &str) -> Result<bool, EngineError> {
        let options = RemoveImageOptions { noprune: true, ..RemoveImageOptions::default() };
        match self.docker.remove_image(name, Some(options), None).await {
            Ok(_) => Ok(true),
            Err(error) => match self.error(&format!("take the name {name} away"), &error) {
                gone if gone.kind == ErrorKind::NotFound => Ok(false),
                other => Err(other),
            },
        }
    }
}
