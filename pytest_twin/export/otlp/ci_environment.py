"""What the environment of a CI system tells of its pipeline, as attributes of the conventions ``cicd`` and ``vcs``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

TEST = "test"  # the type of the task that runs tests


class CiSystem(NamedTuple):
    """A CI system.

    Attributes:
        marker: The variable that it sets.
        attributes: The value of each attribute: names of variables in braces, and text between them. The first of
            several of which all variables are set counts.
    """

    marker: str
    attributes: Mapping[str, tuple[str, ...]]


SYSTEMS = (
    CiSystem("GITHUB_ACTIONS", {
        "cicd.pipeline.name": ("{GITHUB_WORKFLOW}",),
        "cicd.pipeline.run.id": ("{GITHUB_RUN_ID}",),
        "cicd.pipeline.run.url.full": (
            "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}/attempts/{GITHUB_RUN_ATTEMPT}",
            "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}",
        ),
        "cicd.pipeline.task.name": ("{GITHUB_JOB}",),
        "cicd.worker.name": ("{RUNNER_NAME}",),
        "vcs.provider.name": ("github",),
        "vcs.repository.url.full": ("{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}",),
        "vcs.ref.head.name": ("{GITHUB_HEAD_REF}", "{GITHUB_REF_NAME}"),
        "vcs.ref.head.revision": ("{GITHUB_SHA}",),
        "vcs.ref.base.name": ("{GITHUB_BASE_REF}",),
    }),
    CiSystem("GITLAB_CI", {
        "cicd.pipeline.name": ("{CI_PIPELINE_NAME}", "{CI_PROJECT_PATH}"),
        "cicd.pipeline.run.id": ("{CI_PIPELINE_ID}",),
        "cicd.pipeline.run.url.full": ("{CI_PIPELINE_URL}",),
        "cicd.pipeline.task.name": ("{CI_JOB_NAME}",),
        "cicd.pipeline.task.run.id": ("{CI_JOB_ID}",),
        "cicd.pipeline.task.run.url.full": ("{CI_JOB_URL}",),
        "cicd.worker.id": ("{CI_RUNNER_ID}",),
        "cicd.worker.name": ("{CI_RUNNER_DESCRIPTION}",),
        "vcs.provider.name": ("gitlab",),
        "vcs.repository.name": ("{CI_PROJECT_NAME}",),
        "vcs.repository.url.full": ("{CI_PROJECT_URL}",),
        "vcs.ref.head.name": ("{CI_COMMIT_REF_NAME}",),
        "vcs.ref.head.revision": ("{CI_COMMIT_SHA}",),
        "vcs.ref.base.name": ("{CI_MERGE_REQUEST_TARGET_BRANCH_NAME}",),
        "vcs.change.id": ("{CI_MERGE_REQUEST_IID}",),
    }),
    CiSystem("JENKINS_URL", {
        "cicd.pipeline.name": ("{JOB_NAME}",),
        "cicd.pipeline.run.id": ("{BUILD_NUMBER}",),
        "cicd.pipeline.run.url.full": ("{BUILD_URL}",),
        "cicd.pipeline.task.name": ("{STAGE_NAME}",),
        "cicd.worker.name": ("{NODE_NAME}",),
        "vcs.repository.url.full": ("{GIT_URL}",),
        "vcs.ref.head.name": ("{CHANGE_BRANCH}", "{GIT_BRANCH}"),
        "vcs.ref.head.revision": ("{GIT_COMMIT}",),
        "vcs.ref.base.name": ("{CHANGE_TARGET}",),
        "vcs.change.id": ("{CHANGE_ID}",),
    }),
    CiSystem("TF_BUILD", {
        "cicd.pipeline.name": ("{BUILD_DEFINITIONNAME}",),
        "cicd.pipeline.run.id": ("{BUILD_BUILDID}",),
        "cicd.pipeline.run.url.full": (
            "{SYSTEM_COLLECTIONURI}{SYSTEM_TEAMPROJECT}/_build/results?buildId={BUILD_BUILDID}",
        ),
        "cicd.pipeline.task.name": ("{SYSTEM_JOBDISPLAYNAME}",),
        "cicd.pipeline.task.run.id": ("{SYSTEM_JOBID}",),
        "cicd.worker.name": ("{AGENT_NAME}",),
        "vcs.repository.name": ("{BUILD_REPOSITORY_NAME}",),
        "vcs.repository.url.full": ("{BUILD_REPOSITORY_URI}",),
        "vcs.ref.head.name": ("{SYSTEM_PULLREQUEST_SOURCEBRANCH}", "{BUILD_SOURCEBRANCHNAME}"),
        "vcs.ref.head.revision": ("{BUILD_SOURCEVERSION}",),
        "vcs.change.id": ("{SYSTEM_PULLREQUEST_PULLREQUESTID}",),
    }),
    CiSystem("CIRCLECI", {
        "cicd.pipeline.name": ("{CIRCLE_PROJECT_REPONAME}",),
        "cicd.pipeline.run.id": ("{CIRCLE_PIPELINE_ID}", "{CIRCLE_WORKFLOW_ID}"),
        "cicd.pipeline.task.name": ("{CIRCLE_JOB}",),
        "cicd.pipeline.task.run.id": ("{CIRCLE_BUILD_NUM}",),
        "cicd.pipeline.task.run.url.full": ("{CIRCLE_BUILD_URL}",),
        "vcs.owner.name": ("{CIRCLE_PROJECT_USERNAME}",),
        "vcs.repository.name": ("{CIRCLE_PROJECT_REPONAME}",),
        "vcs.repository.url.full": ("{CIRCLE_REPOSITORY_URL}",),
        "vcs.ref.head.name": ("{CIRCLE_BRANCH}", "{CIRCLE_TAG}"),
        "vcs.ref.head.revision": ("{CIRCLE_SHA1}",),
        "vcs.change.id": ("{CIRCLE_PR_NUMBER}",),
    }),
    CiSystem("BUILDKITE", {
        "cicd.pipeline.name": ("{BUILDKITE_PIPELINE_SLUG}",),
        "cicd.pipeline.run.id": ("{BUILDKITE_BUILD_ID}",),
        "cicd.pipeline.run.url.full": ("{BUILDKITE_BUILD_URL}",),
        "cicd.pipeline.task.name": ("{BUILDKITE_LABEL}",),
        "cicd.pipeline.task.run.id": ("{BUILDKITE_JOB_ID}",),
        "cicd.worker.name": ("{BUILDKITE_AGENT_NAME}",),
        "vcs.repository.url.full": ("{BUILDKITE_REPO}",),
        "vcs.ref.head.name": ("{BUILDKITE_BRANCH}",),
        "vcs.ref.head.revision": ("{BUILDKITE_COMMIT}",),
    }),
)  # fmt: skip
NO_CHANGE = {"vcs.change.id": "false"}  # what some systems set where there is none
_PULL_REQUEST = re.compile(r"refs/pull/(\d+)/", re.ASCII)
_VARIABLE = re.compile(r"\{(\w+)\}", re.ASCII)


def of_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the attributes of the CI system that runs this; none at a desk."""
    system = next((each for each in SYSTEMS if environ.get(each.marker)), None)
    if system is None:
        return {}
    found = {"cicd.pipeline.task.type": TEST}
    for name, templates in system.attributes.items():
        value = next((text for template in templates if (text := _filled(template, environ))), "")
        if value and NO_CHANGE.get(name) != value:
            found[name] = without_password(value) if "url" in name else value
    if change := _PULL_REQUEST.match(environ.get("GITHUB_REF", "")):
        found.setdefault("vcs.change.id", change[1])
    owner, slash, repository = environ.get("GITHUB_REPOSITORY", "").partition("/")
    if slash and system.marker == "GITHUB_ACTIONS":
        found |= {"vcs.owner.name": owner, "vcs.repository.name": repository}
    return found


def _filled(template: str, environ: Mapping[str, str]) -> str:
    """Return a template with the values of its variables; empty if one of them is not set."""
    if any(not environ.get(name) for name in _VARIABLE.findall(template)):
        return ""
    return _VARIABLE.sub(lambda match: environ[match[1]], template)


def without_password(url: str) -> str:
    """Return a URL without the user and the password in it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if parts.netloc else url
