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
        let done = self.docker.tag_image(image, Some(options));
        self.change(&format!("call the image {image} {further}"), done).await
    }

    /// The environment that an image sets by itself.
    ///
    /// # Errors
    /// There is no such image, or the engine refuses.
    pub async fn image_env(&self, image: &str) -> Result<BTreeMap<String, String>, EngineError> {
        let found = self.docker.inspect_image(image);
        let found = self.look(&format!("look at the image {image}"), found).await?;
        let lines = found.config.and_then(|c| c.env).unwrap_or_default();
        let pairs = lines.iter().filter_map(|line| line.split_once('='));
        Ok(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// The image that a name points to, if there is one.
    ///
    /// # Errors
    /// The engine refuses.
    pub async fn image_id(&self, name: &str) -> Result<Option<String>, EngineError> {
        match self.look(&format!("look at the image {name}"), self.docker.inspect_image(name)).await {
            Ok(found) => Ok(found.id),
            Err(gone) if gone.kind == ErrorKind::NotFound => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// Takes a name away while it still points to this image.
    ///
    /// # Errors
    /// Something uses it, or the engine refuses.
    pub async fn untag(&self, name: &str, image: &str) -> Result<Untagged, EngineError> {
        match self.image_id(name).await? {
            None => return Ok(Untagged::WasGone),
            Some(other) if other != image => return Ok(Untagged::SomebodyElses),
            Some(_) => {}
        }
        let options = RemoveImageOptions { noprune: true, ..RemoveImageOptions::default() };
        let removed = self.docker.remove_image(name, Some(options), None);
        match self.change(&format!("take the name {name} away"), removed).await {
            Ok(_) => Ok(Untagged::Removed),
            Err(gone) if gone.kind == ErrorKind::NotFound => Ok(Untagged::WasGone),
            Err(other) => Err(other),
        }
    }
}

/// What became of a name that was to be taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untagged {
    /// It is gone.
    Removed,
    /// There was none.
    WasGone,
    /// It points to another image by now, and stays.
    SomebodyElses,
}
