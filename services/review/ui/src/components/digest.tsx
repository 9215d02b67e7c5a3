import { useState } from 'react';

import { shortDigest } from '@/lib/format';

/** A digest short enough to read; a click copies the whole of it. */
export function Digest({ value, label }: { value: string; label: string }) {
  const [copied, setCopied] = useState(false);
  async function copy() {
    await navigator.clipboard.writeText(value);
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  }
  return (
    <button type="button" className="digest" title={value} aria-label={`Copy ${label}`} onClick={() => void copy()}>
      {copied ? 'Copied' : shortDigest(value)}
    </button>
  );
}
