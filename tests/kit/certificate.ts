// A certificate of our own for 127.0.0.1 and localhost.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDir } from './places.ts';
import { runOk } from './process.ts';

export class Certificate {
    private constructor(private readonly dir: string) {}

    static async create(): Promise<Certificate> {
        const made = new Certificate(temporaryDir('tls'));
        await runOk('openssl', [
            'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
            '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost',
            '-keyout', made.keyFile, '-out', made.file,
        ]);
        return made;
    }

    get file(): string {
        return join(this.dir, 'certificate.pem');
    }

    get keyFile(): string {
        return join(this.dir, 'key.pem');
    }

    /** Flags of `touchpoint serve`. */
    flags(): string[] {
        return ['--tls-certificate', this.file, '--tls-key', this.keyFile];
    }

    remove(): void {
        rmSync(this.dir, { recursive: true, force: true });
    }
}
