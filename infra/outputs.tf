output "registry" {
  description = "For [tool.eggcrate] registry, or EGGCRATE_REGISTRY"
  value       = module.plan.addresses.images
}

output "signatures" {
  description = "For [tool.eggcrate] signatures"
  value       = module.plan.addresses.signatures
}

output "pipelines" {
  description = "Where compiled pipelines go: eggcrate upload --to"
  value       = module.plan.addresses.pipelines
}

output "pipeline_root" {
  description = "For [vertex] pipeline-root in a pipeline's config.toml"
  value       = module.plan.addresses.runs
}

output "run_account" {
  description = "For [vertex] service-account in a pipeline's config.toml"
  value       = module.plan.emails.run
}

output "staging" {
  description = "For builds by hand: gcloud builds submit --gcs-source-staging-dir"
  value       = "${module.plan.addresses.staging}/source"
}

output "forge_token" {
  description = "The secret that a token must be put into, for the refreshes"
  value       = module.plan.secrets.forge
}
