import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import fc from '../../../test/support/fast-check.ts';
import { temporaryFolder } from '../../../test/support/temp.ts';
import { pathFromText } from '../../core/paths.ts';
import { defaultExcludes } from './default-excludes.ts';
import { compileExcludes } from './excludes.ts';

/** Whether `path` (a folder if it ends with `/`) is left out by itself or with a folder that it is in. */
function excluded(patterns: readonly string[], path: string): boolean {
  const excludes = compileExcludes(patterns.map((pattern) => ({ pattern, reason: 'test' })));
  const parts = path.replace(/\/$/, '').split('/').map(pathFromText);
  return parts.some((name, at) => {
    const isFolder = at < parts.length - 1 || path.endsWith('/');
    return excludes.match(parts.slice(0, at + 1).join('/'), name, isFolder) >= 0;
  });
}

describe('a pattern', () => {
  test.each([
    ['node_modules/', 'node_modules/', true],
    ['node_modules/', 'a/node_modules/x.js', true],
    ['node_modules/', 'node_modules', false],
    ['*.tmp', 'a/b.tmp', true],
    ['*.tmp', 'a.tmp/inside', true],
    ['*.tmp', 'b.tmpx', false],
    ['/top', 'top', true],
    ['/top', 'a/top', false],
    ['a/b', 'a/b', true],
    ['a/b', 'x/a/b', false],
    ['**/a/b', 'x/a/b', true],
    ['**/a/b', 'a/b', true],
    ['a/**', 'a/x/y', true],
    ['a/**', 'a/', false],
    ['a/**/z', 'a/z', true],
    ['a/**/z', 'a/b/c/z', true],
    ['a/**/z', 'ab/z', false],
    ['a?c', 'abc', true],
    ['a?c', 'aéc', true],
    ['a?c', 'a/c', false],
    ['ü*', 'ünder', true],
    ['\\*', '*', true],
    ['\\*', 'a', false],
    ['\\[x]', '[x]', true],
    ['a+(b)', 'a+(b)', true],
    ['*', 'with\nnewline', true],
  ])('%s on %j: %s', (pattern, path, expected) => {
    expect(excluded([pattern], path)).toBe(expected);
  });

  test.each(['', '/', '!keep', 'a//b', 'a[bc]', '../x', './x', 'x\\', '*a*b*c*d*e'])(
    '%j is refused with a hint',
    (pattern) => {
      expect(() => compileExcludes([{ pattern, reason: 'test' }])).toThrowError(
        expect.objectContaining({ code: 'exclude-invalid', exit: 64 }),
      );
    },
  );

  test('of any text compiles or is refused, and never takes long', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', '*', '?', '/', '\\', '.', 'é', '[') }),
        fc.string({ unit: fc.constantFrom('a', '/', '.'), maxLength: 60 }),
        (pattern, path) => {
          const before = process.threadCpuUsage();
          try {
            excluded([pattern], `x${path}x`.replace(/\/+/g, '/'));
          } catch (error) {
            expect(error).toMatchObject({ code: 'exclude-invalid' });
          }
          expect(process.threadCpuUsage(before).user).toBeLessThan(500_000);
        },
      ),
    );
  });
});

test('patterns mean what git means by them', async () => {
  const folder = await temporaryFolder();
  execFileSync('git', ['init', '-q', folder]);
  const name = fc.constantFrom('a', 'b', 'ab', 'a.b', 'b.a', 'aa');
  const part = fc.oneof(name, fc.constantFrom('*', '**', '?', 'a*', '*b', '*.b', '?b', 'a?b', '\\a'));
  const pattern = fc
    .tuple(fc.constantFrom('', '/'), fc.array(part, { minLength: 1, maxLength: 3 }), fc.constantFrom('', '/'))
    .map(([start, parts, end]) => start + parts.join('/') + end);
  // Files only: what git says of a folder that does not exist is no model. Every path has its folders in it anyway.
  const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
  fc.assert(
    fc.property(
      fc.array(pattern, { minLength: 1, maxLength: 3 }),
      fc.array(path, { minLength: 20, maxLength: 40 }),
      (patterns, asked) => {
        fs.writeFileSync(join(folder, '.gitignore'), patterns.join('\n'));
        const ignored = execFileSync('sh', ['-c', 'git check-ignore --no-index --stdin -z || [ $? = 1 ]'], {
          cwd: folder,
          input: asked.join('\0'),
        });
        const byGit = new Set(ignored.toString().split('\0'));
        for (const one of asked)
          expect([patterns, one, excluded(patterns, one)]).toEqual([patterns, one, byGit.has(one)]);
      },
    ),
    { numRuns: 60 },
  );
});

test('the default excludes are sound and leave alone what may be precious', () => {
  const patterns = defaultExcludes.map(({ pattern }) => pattern);
  for (const path of [
    '.git/',
    'build/',
    'dist/',
    'target/',
    'vendor/',
    'tmp/',
    'cache/',
    'a/lost+found/',
    '.env',
    'data.db',
  ]) {
    expect([path, excluded(patterns, path)]).toEqual([path, false]);
  }
  for (const path of [
    'app/node_modules/',
    'x/.cache/',
    'a/__pycache__/b.pyc',
    'lost+found/',
    'home/u/.npm/_cacache/',
    'w/.next/cache/',
  ]) {
    expect([path, excluded(patterns, path)]).toEqual([path, true]);
  }
});
