// Runs all tests of a build, two programs at a time, and adds them up: unit tests (cmocka),
// corpora through the fuzz targets, and the suites that talk to a real server.
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { binary, outDir } from './places.ts';
import { routesOf, type Document } from './openapi.ts';
import { Cluster } from './postgres.ts';
import { run, sanitizerReport } from './process.ts';

interface Counts {
    passed: number;
    failed: number;
}

interface Job {
    name: string;
    run(): Promise<Counts & { said: string }>;
}

const AT_ONCE = 2;
const JOB_MS = 300_000;
const words = process.argv.slice(2);
const jsDir = join(outDir, 'js');

const sanitizers = {
    ASAN_OPTIONS: 'detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1',
    LSAN_OPTIONS: `suppressions=${join(process.cwd(), 'tests/leaks.txt')}:print_suppressions=0`,
    UBSAN_OPTIONS: 'print_stacktrace=1',
    TSAN_OPTIONS: `second_deadlock_stack=1:suppressions=${join(process.cwd(), 'tests/races.txt')}`,
};

/** Programs that speak TAP: cmocka's and the replays of corpora. */
function tapJob(name: string, program: string, args: string[], environment: object): Job {
    return {
        name,
        async run() {
            const env = { ...process.env, ...environment, CMOCKA_MESSAGE_OUTPUT: 'TAP' };
            const result = await run(program, args, { env, withinMs: JOB_MS });
            const lines = result.stdout.split('\n');
            const good = lines.filter((line) => /^ok \d/.test(line) && !/# SKIP/i.test(line)).length;
            const bad = lines.filter((line) => /^not ok \d|^ok \d.*# SKIP/i.test(line)).length;
            const planned = lines
                .map((line) => /^1\.\.(\d+)/.exec(line)?.[1])
                .reduce((sum, count) => sum + Number(count ?? 0), 0);
            // A crash leaves tests that never got to say anything.
            const lost = Math.max(planned - good - bad, 0);
            let failed = bad + lost;
            let said = result.stdout + result.stderr;
            if (result.code !== 0 && failed === 0) failed = 1;
            if (good + failed === 0) {
                failed = 1;
                said += 'no test ran\n';
            }
            if (sanitizerReport(result.stderr) !== null && failed === 0) failed = 1;
            if (result.code !== 0) said += `ended with ${result.code ?? result.signal}\n`;
            return { passed: good, failed, said };
        },
    };
}

function nodeJob(bundle: string, environment: object): Job {
    const name = bundle.slice(jsDir.length + 1).replace(/\.mjs$/, '');
    return {
        name,
        async run() {
            const countsFile = join(outDir, `counts-${name.replaceAll('/', '-')}.json`);
            const args = [
                '--enable-source-maps',
                '--test-reporter=spec',
                '--test-reporter-destination=stdout',
                `--test-reporter=${join(jsDir, 'kit/reporter.mjs')}`,
                `--test-reporter-destination=${countsFile}`,
                bundle,
            ];
            const env = { ...process.env, ...environment };
            const result = await run(process.execPath, args, { env, withinMs: JOB_MS });
            let said = result.stdout + result.stderr;
            if (result.code !== 0) said += `ended with ${result.code ?? result.signal}\n`;
            let counts: Counts = { passed: 0, failed: 0 };
            if (existsSync(countsFile)) {
                const text = readFileSync(countsFile, 'utf8');
                if (text !== '') counts = JSON.parse(text) as Counts;
            }
            const { passed } = counts;
            let { failed } = counts;
            if (passed + failed === 0) said += 'no test ran\n';
            if (failed === 0 && (passed === 0 || result.code !== 0)) failed = 1;
            return { passed, failed, said };
        },
    };
}

function filesBelow(dir: string): string[] {
    if (!existsSync(dir)) return [];
    return readdirSync(dir, { withFileTypes: true })
        .flatMap((entry) => {
            const path = join(dir, entry.name);
            return entry.isDirectory() ? filesBelow(path) : [path];
        })
        .sort();
}

function findJobs(environment: object): Job[] {
    const programs = readdirSync(outDir)
        .sort()
        .map((name) => join(outDir, name))
        .filter((path) => statSync(path).isFile() && !/\.\w+$/.test(path));
    const named = (prefix: string) => programs.filter((path) => basename(path).startsWith(prefix));
    return [
        ...named('unit-').map((path) =>
            tapJob(basename(path).replaceAll('-', '/'), path, [], environment),
        ),
        ...named('fuzz-').map((path) => {
            const target = basename(path).slice('fuzz-'.length);
            return tapJob(`fuzz/${target}`, path, [join('tests/fuzz/corpus', target)], environment);
        }),
        ...filesBelow(jsDir)
            .filter((path) => path.endsWith('.test.mjs'))
            .map((path) => nodeJob(path, environment)),
    ];
}

/** Every route that the server has must have been answered well by some test. */
function checkRoutes(): Counts & { said: string } {
    const file = join(outDir, 'openapi.json');
    if (!existsSync(file)) {
        return { passed: 0, failed: 1, said: 'no test read /openapi.json\n' };
    }
    const routes = routesOf(JSON.parse(readFileSync(file, 'utf8')) as Document);
    const hit = new Set(
        readdirSync(outDir)
            .filter((name) => /^coverage-.*\.jsonl$/.test(name))
            .flatMap((name) => readFileSync(join(outDir, name), 'utf8').trim().split('\n'))
            .map((line) => JSON.parse(line) as string),
    );
    const missed = routes.filter((route) => !hit.has(route));
    const said = missed.map((route) => `no test got a good answer from ${route}\n`).join('');
    return { passed: missed.length === 0 ? 1 : 0, failed: missed.length, said };
}

async function main(): Promise<void> {
    mkdirSync(outDir, { recursive: true });
    for (const name of readdirSync(outDir)) {
        if (/^(coverage|counts)-|^openapi\.json$/.test(name)) rmSync(join(outDir, name));
    }

    const started = Date.now();
    const total: Counts = { passed: 0, failed: 0 };
    const report = (name: string, seconds: number, result: Counts & { said: string }) => {
        total.passed += result.passed;
        total.failed += result.failed;
        const mark = result.failed === 0 ? 'ok    ' : 'FAILED';
        const counts = `${result.passed} passed` + (result.failed > 0 ? `, ${result.failed} failed` : '');
        console.log(`${mark} ${name.padEnd(40)} ${counts} (${seconds.toFixed(1)} s)`);
        if (result.failed > 0) console.log(result.said.replace(/^/gm, '    '));
    };

    const cluster = await Cluster.start();
    try {
        const jobs = findJobs({ ...sanitizers, ...cluster.environment() }).filter(
            ({ name }) => words.length === 0 || words.some((word) => name.includes(word)),
        );
        const worker = async () => {
            for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
                const begun = Date.now();
                const result = await job
                    .run()
                    .catch((error) => ({ passed: 0, failed: 1, said: `${String(error)}\n` }));
                report(job.name, (Date.now() - begun) / 1000, result);
            }
        };
        await Promise.all(Array.from({ length: AT_ONCE }, worker));
    } finally {
        await cluster.stop();
    }

    if (words.length === 0) {
        if (!existsSync(binary)) report('program', 0, { passed: 0, failed: 1, said: `no ${binary}\n` });
        report('every route answered', 0, checkRoutes());
    } else if (total.passed + total.failed === 0) {
        report('tests', 0, { passed: 0, failed: 1, said: `none is called like ${words.join(', ')}\n` });
    }
    console.log(`in ${((Date.now() - started) / 1000).toFixed(0)} s`);
    console.log(`${total.passed} passed, ${total.failed} failed`);
    process.exitCode = total.failed === 0 ? 0 : 1;
}

main().catch((error) => {
    console.error(error);
    console.log('0 passed, 1 failed');
    process.exitCode = 1;
});
