import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forEachStore, useServer } from '../kit/stores.ts';

forEachStore((store) => {
    const site = useServer(store);

    test('a server that runs says so', async () => {
        const answer = await site.anonymous.get('//healthz');
        assert.equal(answer.status, 200);
        assert.match(answer.headers['x-request-id'] as string, /^[A-Za-z0-9._-]{1,64}$/);
    });

    test('a server that reaches its store is ready', async () => {
        const answer = await site.anonymous.get('//readyz');
        assert.equal(answer.status, 200);
    });
});
