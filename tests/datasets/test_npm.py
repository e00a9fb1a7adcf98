"""The registry that this computer's npm uses."""

import pytest

from sw.data import npm


class TestRegistry:
    @pytest.fixture(autouse=True)
    def _home(self, cache, monkeypatch, tmp_path):
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("USERPROFILE", str(tmp_path))
        monkeypatch.setenv("PATH", str(tmp_path))
        self.npmrc = tmp_path / ".npmrc"

    def test_public_one(self):
        assert npm.registry() == "https://registry.npmjs.org/"

    def test_file(self, monkeypatch):
        text = "# registry=https://no/\nfund=false\nregistry = https://x.test/n\n"
        self.npmrc.write_text(text, encoding="utf-8")
        assert npm.registry() == "https://x.test/n/"
        self.npmrc.write_text('registry="https://${PLACE}/"\n', encoding="utf-8")
        monkeypatch.setenv("PLACE", "y.test")
        assert npm.registry() == "https://y.test/"

    @pytest.mark.parametrize("name", ["npm_config_registry", "NPM_CONFIG_REGISTRY"])
    def test_environment_is_first(self, monkeypatch, name):
        self.npmrc.write_text("registry=https://x.test/\n", encoding="utf-8")
        monkeypatch.setenv(name, "https://env.test/npm//")
        assert npm.registry() == "https://env.test/npm/"

    def test_other_settings_file(self, monkeypatch, tmp_path):
        (tmp_path / "rc").write_text("registry=https://z.test\n", encoding="utf-8")
        monkeypatch.setenv("NPM_CONFIG_USERCONFIG", str(tmp_path / "rc"))
        assert npm.registry() == "https://z.test/"

    def test_asks_npm(self, tmp_path):
        tool = tmp_path / "npm"
        tool.write_text("#!/bin/sh\necho https://asked.test/\n", encoding="utf-8")
        tool.chmod(0o755)
        assert npm.registry() == "https://asked.test/"
        tool.write_text("#!/bin/sh\necho undefined\n", encoding="utf-8")
        assert npm.registry() == npm.DEFAULT

    def test_nonsense_is_passed_over(self, monkeypatch):
        monkeypatch.setenv("npm_config_registry", "file:///etc")
        self.npmrc.write_bytes(b"\xff\xfe registry")
        assert npm.registry() == npm.DEFAULT
