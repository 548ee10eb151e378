# terraform test: no provider, no account, no network.

variables {
  project    = "acme-ml"
  region     = "europe-west4"
  repository = "eggcrate"
}

run "who_may_do_what_by_default" {
  command = plan

  assert {
    condition     = output.emails.build == "eggcrate-build@acme-ml.iam.gserviceaccount.com"
    error_message = "cloudbuild.yaml names this account by default."
  }

  assert {
    condition = toset([for key, one in output.grants : key if one.kind == "project"]) == toset([
      "build project logging.logWriter", "check project logging.logWriter", "refresh project logging.logWriter",
      "build project containeranalysis.occurrences.viewer",
    ])
    error_message = "On the whole project stands only what can be granted on nothing smaller."
  }

  assert {
    condition = alltrue([
      for one in output.grants : !strcontains(one.role, "writer") && !strcontains(one.role, "User")
      if contains(["check", "refresh"], one.account)
    ])
    error_message = "Whoever may open a pull request can change what CI runs: such builds only read."
  }

  assert {
    condition     = [for one in output.grants : one.account if one.kind == "secret"] == ["refresh"]
    error_message = "The token that pushes is for refreshes alone."
  }

  assert {
    condition     = length([for one in output.grants : one if one.account == "run"]) == 0
    error_message = "Nothing runs on Vertex AI: its account may do nothing."
  }

  assert {
    condition     = alltrue([for one in output.grants : !contains(["roles/owner", "roles/editor", "roles/viewer"], one.role)])
    error_message = "Basic roles are for people, if for anybody."
  }

  assert {
    condition     = alltrue([for one in output.grants : (one.target == "") == (one.kind == "project")])
    error_message = "Every other grant names what it is on."
  }

  assert {
    condition     = alltrue([for one in output.grants : one.why != ""])
    error_message = "Every grant has its reason."
  }
}

run "every_target_is_there" {
  command = plan

  variables {
    scale_out   = true
    vertex      = true
    signing_key = "projects/acme-ml/locations/europe-west4/keyRings/r/cryptoKeys/k"
  }

  assert {
    condition = alltrue([
      for one in output.grants : contains({
        project    = [""]
        repository = keys(output.repositories)
        bucket     = keys(output.buckets)
        secret     = keys(output.secrets)
        account    = keys(output.accounts)
        key        = ["signing"]
      }[one.kind], one.target)
    ])
    error_message = "A grant is on something that is not made."
  }

  assert {
    condition     = alltrue([for one in output.grants : contains(keys(output.accounts), one.account)])
    error_message = "A grant is to an account that is not made."
  }

  assert {
    condition     = alltrue([for one in output.triggers : contains(keys(output.accounts), one.account)])
    error_message = "A trigger runs as an account that is not made."
  }

  assert {
    condition     = output.grants["build key/signing cloudkms.signerVerifier"].target == "signing"
    error_message = "With a key the main branch signs."
  }
}

run "child_builds_need_more" {
  command = plan

  variables {
    own_machines = { torch-cuda = "Dockerfile" }
  }

  assert {
    condition     = output.child_builds
    error_message = "An environment that needs a machine of its own is built by a child."
  }

  assert {
    condition     = alltrue([for one in output.grants : one.target == one.account if one.kind == "account"])
    error_message = "A child runs as its parent does, and as nobody else."
  }

  assert {
    condition     = [for key, one in output.triggers : key if try(one.substitutions._ON, "") != ""] == ["main"]
    error_message = "Children publish what they make: pull requests have none."
  }

  assert {
    condition     = !anytrue([for one in output.grants : one.account == "check" && one.kind == "account"])
    error_message = "Pull requests start no builds."
  }
}

run "one_machine_needs_less" {
  command = plan

  assert {
    condition     = !output.child_builds && !contains(keys(output.grants), "build project cloudbuild.builds.editor")
    error_message = "Where no build starts another, none may."
  }
}

run "vertex" {
  command = plan

  variables {
    vertex = true
  }

  assert {
    condition     = contains(output.services, "aiplatform.googleapis.com")
    error_message = "Runs need the API."
  }

  assert {
    condition     = [for one in output.grants : one.account if one.target == "run"] == ["build"]
    error_message = "Only the main branch starts runs."
  }

  assert {
    condition = toset([for key, one in output.grants : key if one.account == "run"]) == toset([
      "run bucket/runs storage.objectUser", "run project aiplatform.user", "run repository/images artifactregistry.reader",
    ])
    error_message = "A run writes artifacts and tells of them; it publishes no image and no pipeline."
  }
}

run "what_starts_what" {
  command = plan

  variables {
    branch = "trunk"
  }

  assert {
    condition     = [for key, one in output.triggers : key if one.substitutions._SERVICE_ACCOUNT == output.emails.build] == ["main"]
    error_message = "Only the main branch publishes."
  }

  assert {
    condition     = [for key, one in output.triggers : key if try(one.substitutions._PUSH, "false") == "true"] == ["main"]
    error_message = "Only the main branch publishes."
  }

  assert {
    condition     = alltrue([for one in output.triggers : (one.cron != "") == (one.event == "schedule")])
    error_message = "What the clock starts has an hour, and nothing else has."
  }

  assert {
    condition     = length(output.triggers["pull-request"].ignored_files) == 0
    error_message = "A required check that does not run blocks a pull request for ever."
  }

  assert {
    condition     = output.triggers["refresh-bases"].substitutions._BASE_BRANCH == "trunk"
    error_message = "Proposals are for the main branch, whatever it is called."
  }

  assert {
    condition     = !anytrue([for one in output.triggers : contains(keys(one.substitutions), "_BUILDER")])
    error_message = "The build file says the image of the steps, unless somebody else does."
  }
}

run "a_builder_of_ones_own" {
  command = plan

  variables {
    builder = "europe-west4-docker.pkg.dev/acme-ml/tools/python:3.11"
  }

  assert {
    condition     = alltrue([for one in output.triggers : endswith(one.substitutions._BUILDER, "/python:3.11")])
    error_message = "Every build has its steps in that image."
  }
}

run "alerts_say_where" {
  command = plan

  assert {
    condition     = alltrue([for one in output.alerts : strcontains(one.filter, "resource.type=\"${one.resource}\"")])
    error_message = "A policy judges the resource that the metric counts."
  }

  assert {
    condition     = alltrue([for one in output.alerts : strcontains(one.text, "project=acme-ml")])
    error_message = "The message leads to the project."
  }
}

run "names_that_google_refuses" {
  command = plan

  variables {
    project    = "Acme"
    region     = "Europe"
    repository = "-x"
    remote     = "git@github.com:acme/ml.git"
  }

  expect_failures = [var.project, var.region, var.repository, var.remote]
}
