// The load test from before the migration: ten users for half a minute, and what they may wait.
import http from 'k6/http';
import { check } from 'k6';

export const options = {
  vus: 10,
  duration: '30s',
  thresholds: {
    http_req_duration: ['p(95)<5000'],
    checks: ['rate>0.95'],
  },
};

export default function () {
  const answer = http.get(__ENV.GATEWAY + '/health');
  check(answer, { 'the gateway is well': (r) => r.status === 200 });
}
