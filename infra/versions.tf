terraform {
  required_version = ">= 1.7"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 6.50"
    }
  }

  # The bucket is named at `terraform init`: -backend-config=bucket=…
  backend "gcs" {
    prefix = "eggcrate"
  }
}

provider "google" {
  project = var.project
  region  = var.region
}
