import { request } from '@/lib/http';

/** The receipt with which anyone can check that the prediction is in the log. */
export async function getReceipt(path: string): Promise<Blob> {
  return (await request(path, { headers: { Accept: 'text/plain' } })).blob();
}
