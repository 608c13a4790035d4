/**
 * What providers, frameworks and ORMs write after the question mark. Whoever copies the application's URL has it, and it means
 * nothing for a backup: pools, caches, names of schemas, timeouts of a driver.
 */
const ofOthers: ReadonlySet<string> = new Set([
  // Prisma
  ...['schema', 'pgbouncer', 'connection_limit', 'pool_timeout', 'socket_timeout', 'statement_cache_size', 'sslaccept'],
  // Rails, Django, Ecto, Go, Rust
  ...[
    'pool',
    'pool_size',
    'max_pool',
    'min_pool',
    'max_connections',
    'encoding',
    'charset',
    'timeout',
    'reaping_frequency',
  ],
  ...[
    'checkout_timeout',
    'idle_timeout',
    'prepared_statements',
    'reconnect',
    'variables',
    'conn_max_age',
    'conn_health_checks',
  ],
  ...['search_path', 'timezone', 'binary_parameters', 'statement_cache_capacity', 'default_query_exec_mode'],
  ...[
    'pool_max_conns',
    'pool_min_conns',
    'pool_max_conn_lifetime',
    'pool_max_conn_idle_time',
    'pool_health_check_period',
  ],
  // node-postgres, asyncpg, JDBC, Supabase
  ...[
    'uselibpqcompat',
    'statement_timeout',
    'query_timeout',
    'lock_timeout',
    'idle_in_transaction_session_timeout',
    'max',
  ],
  ...[
    'prepared_statement_cache_size',
    'command_timeout',
    'server_settings',
    'currentschema',
    'applicationname',
    'preparethreshold',
  ],
  ...['prepare_threshold', 'workaround', 'serverversion', 'supa', 'prepare', 'min_size', 'max_size'],
  ...['logintimeout', 'connecttimeout', 'sockettimeout', 'stringtype', 'rewritebatchedinserts', 'tcpkeepalive'],
]);

/** Of libpq, and without a meaning where two programs of one host speak with one server for an hour. */
const withoutEffect: ReadonlySet<string> = new Set([
  ...['application_name', 'fallback_application_name', 'keepalives', 'keepalives_idle', 'keepalives_interval'],
  ...['keepalives_count', 'tcp_user_timeout', 'client_encoding', 'sslcompression', 'sslsni', 'load_balance_hosts'],
  ...['target_session_attrs', 'replication', 'max_protocol_version', 'min_protocol_version', 'sslnegotiation'],
  ...['krbsrvname', 'gsslib', 'gssdelegation'],
]);

/** What PostgreSQL's own programs are told by the environment. */
export const handedOn: Readonly<Record<string, string>> = {
  channel_binding: 'PGCHANNELBINDING',
  gssencmode: 'PGGSSENCMODE',
  requirepeer: 'PGREQUIREPEER',
  ssl_min_protocol_version: 'PGSSLMINPROTOCOLVERSION',
  ssl_max_protocol_version: 'PGSSLMAXPROTOCOLVERSION',
};

export type SettingKind = 'used' | 'ignored' | 'silent' | 'unknown';

const used: ReadonlySet<string> = new Set([
  ...['host', 'port', 'user', 'password', 'dbname', 'connect_timeout', 'options', 'ssl'],
  ...['sslmode', 'sslrootcert', 'sslcert', 'sslkey', ...Object.keys(handedOn)],
]);

export function kindOf(name: string): SettingKind {
  if (used.has(name)) return 'used';
  if (withoutEffect.has(name)) return 'silent';
  return ofOthers.has(name.toLowerCase()) ? 'ignored' : 'unknown';
}
