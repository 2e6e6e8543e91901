// Every API suite runs on every store:
//
//     forEachStore((store) => {
//         const site = useServer(store);
//         test('…', async () => { await site.admin.get('/customers'); });
//     });
import { after, before, describe } from 'node:test';
import type { Client } from './client.ts';
import { Server, Site, type NewTenant } from './server.ts';

export type Store = 'sqlite' | 'postgres';
export const stores: readonly Store[] = ['sqlite', 'postgres'];

export function forEachStore(suite: (store: Store) => void): void {
    for (const store of stores) describe(`on ${store}`, () => suite(store));
}

/** A running server with one tenant, filled in before the suite's first test. */
export class Running {
    site!: Site;
    server!: Server;
    tenant!: NewTenant;
    /** The tenant's administrator. */
    admin!: Client;

    /** Without credentials. */
    get anonymous(): Client {
        return this.server.anonymous;
    }

    /** Stops the server (cleanly) and starts one on the same data. */
    async restart(...extra: string[]): Promise<void> {
        await this.server.stop();
        await this.startServer(extra);
    }

    async startServer(extra: string[]): Promise<void> {
        this.server = await Server.start(this.site, ...extra);
        this.admin = this.server.client(this.tenant.key);
    }
}

/** Starts a server for the suite it is called in, and stops it after the last test. */
export function useServer(store: Store, ...extra: string[]): Running {
    const running = new Running();
    before(async () => {
        running.site = await Site.create(store);
        running.tenant = await running.site.createTenant('Acme', 'admin@acme.example');
        await running.startServer(extra);
    });
    after(async () => {
        try {
            await running.server?.stop();
        } finally {
            await running.site?.remove();
        }
    });
    return running;
}
