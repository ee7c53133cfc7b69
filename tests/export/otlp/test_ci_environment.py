"""What the variables of CI systems become."""

from __future__ import annotations

import pytest

from pytest_twin.export.otlp.ci_environment import SYSTEMS, of_environment, without_password

GITHUB = {
    "GITHUB_ACTIONS": "true", "GITHUB_WORKFLOW": "CI", "GITHUB_RUN_ID": "77", "GITHUB_RUN_ATTEMPT": "2",
    "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "acme/shop", "GITHUB_JOB": "unit",
    "RUNNER_NAME": "r1", "GITHUB_REF": "refs/pull/12/merge", "GITHUB_REF_NAME": "12/merge", "GITHUB_HEAD_REF": "fix",
    "GITHUB_BASE_REF": "main", "GITHUB_SHA": "abc",
}  # fmt: skip


def test_a_job_of_github():
    assert of_environment(GITHUB) == {
        "cicd.pipeline.name": "CI",
        "cicd.pipeline.run.id": "77",
        "cicd.pipeline.run.url.full": "https://github.com/acme/shop/actions/runs/77/attempts/2",
        "cicd.pipeline.task.name": "unit",
        "cicd.pipeline.task.type": "test",
        "cicd.worker.name": "r1",
        "vcs.provider.name": "github",
        "vcs.owner.name": "acme",
        "vcs.repository.name": "shop",
        "vcs.repository.url.full": "https://github.com/acme/shop",
        "vcs.ref.head.name": "fix",
        "vcs.ref.head.revision": "abc",
        "vcs.ref.base.name": "main",
        "vcs.change.id": "12",
    }


def test_a_push_to_a_branch_is_no_change():
    found = of_environment({**GITHUB, "GITHUB_REF": "refs/heads/main", "GITHUB_REF_NAME": "main", "GITHUB_HEAD_REF": "",
                            "GITHUB_BASE_REF": "", "GITHUB_RUN_ATTEMPT": ""})  # fmt: skip
    assert found["vcs.ref.head.name"] == "main"
    assert found["cicd.pipeline.run.url.full"] == "https://github.com/acme/shop/actions/runs/77"
    assert not {"vcs.change.id", "vcs.ref.base.name"} & {*found}


def test_a_password_in_the_url_of_a_repository_is_not_exported():
    found = of_environment({"JENKINS_URL": "http://ci", "GIT_URL": "https://bot:secret@git.acme/shop.git"})
    assert found["vcs.repository.url.full"] == "https://git.acme/shop.git"


@pytest.mark.parametrize("url", ["https://u:p@h:1/x?y", "https://h:1/x?y"])
def test_a_url_loses_its_user_only(url):
    assert without_password(url) == "https://h:1/x?y"


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.marker)
def test_each_system_tells_at_least_its_pipeline_and_its_revision(system):
    class Everything(dict):
        def get(self, name, default=None):
            return "x" if name != "GITHUB_REPOSITORY" else "a/b"

        def __missing__(self, name):
            return self.get(name)

    environ = Everything()
    found = {name: texts for name, texts in system.attributes.items() if texts}
    assert {"cicd.pipeline.name", "cicd.pipeline.run.id", "vcs.ref.head.revision"} <= {*found}
    assert environ.get(system.marker)


def test_at_a_desk_there_is_nothing():
    assert of_environment({"USER": "me", "CI": "true"}) == {}
