// Parses the named modules. One process for all: `node --check` takes one file, and prints where its error is.
//
//     node --experimental-vm-modules --no-warnings tests/js/parse.mjs FILE…
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { SourceTextModule } from "node:vm";

for (const file of process.argv.slice(2)) {
    try {
        new SourceTextModule(readFileSync(file, "utf8"), { identifier: file });
    } catch {
        spawnSync(process.execPath, ["--check", file], { stdio: "inherit" });
        process.exitCode = 1;
    }
}
