// A reporter for Node's test runner: counts what tests/run adds up. Suites are not tests.
interface Event {
    type: string;
    data: { name: string; details?: { type?: string }; skip?: unknown; todo?: unknown };
}

export default async function* count(events: AsyncIterable<Event>): AsyncGenerator<string> {
    let passed = 0;
    let failed = 0;
    for await (const { type, data } of events) {
        if (type !== 'test:pass' && type !== 'test:fail') continue;
        const isSuite = data.details?.type === 'suite';
        // A suite fails by itself if its before or after does; and what was skipped proves nothing.
        const unproven = data.skip !== undefined || data.todo !== undefined;
        if (type === 'test:fail' || unproven) failed += 1;
        else if (!isSuite) passed += 1;
    }
    yield JSON.stringify({ passed, failed });
}
