output "accounts" {
  description = "Service accounts: name and title"
  value       = local.accounts
}

output "emails" {
  description = "E-mail address of each service account"
  value       = local.emails
}

output "repositories" {
  description = "Repositories of Artifact Registry: name, format and title"
  value       = local.repositories
}

output "buckets" {
  description = "Buckets: name, and days after which objects are deleted or moved to a colder class (0: never)"
  value       = local.buckets
}

output "secrets" {
  description = "Names of secrets; their values are put in by hand"
  value       = local.secrets
}

output "addresses" {
  description = "Where things are, as Eggcrate's settings and commands write it"
  value       = local.addresses
}

output "services" {
  description = "APIs that must be on"
  value       = local.services
}

output "grants" {
  description = "The IAM matrix: account, kind and name of what the role is on, role, and why"
  value       = local.grants
}

output "triggers" {
  description = "What starts which build file, as whom, with which substitutions"
  value       = local.triggers
}

output "alerts" {
  description = "What is counted in the logs, and told when it is more than nothing"
  value       = local.alerts
}

output "child_builds" {
  description = "Whether builds may start further builds"
  value       = local.child_builds
}
