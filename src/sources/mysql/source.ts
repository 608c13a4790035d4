import type { Source } from '../source.ts';
import { captureMysql } from './capture.ts';
import { inspectMysql } from './inspect.ts';
import { measureMysql } from './measure.ts';
import { isBare, restoreMysql, wasPlaced } from './restore.ts';
import { openMysqlSaboteur } from './sabotage.ts';
import { parseUrl, showAddress } from './url.ts';

/** One database of a MariaDB server. @throws `mysql-url-wrong` */
export function mysqlSource({ url }: { readonly url: string }): Source {
  const address = parseUrl(url);
  return {
    kind: 'mysql',
    profile: 'database',
    location: showAddress(address),
    hostPaths: [],
    inspect: (run) => inspectMysql(address, run),
    capture: (run) => captureMysql(address, run),
    restore: (contents, target, run) => restoreMysql(address, contents, target, run),
    wasPlaced: (mark, contents, run) => wasPlaced(address, mark, contents, run),
    isBare: (_, run) => isBare(address, run),
    measure: (where, _, run, contents) => measureMysql(parseUrl(where), run, contents),
    openSaboteur: (where, run) => openMysqlSaboteur(where, run),
  };
}
