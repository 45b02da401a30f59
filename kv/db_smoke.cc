#include <cstdio>
#include "kv/db.h"
using namespace emdb;
int main(int, char** argv) {
  setbuf(stdout, nullptr);
  auto db = Db::Open({}, argv[1]);
  if (!db.ok()) { printf("%s\n", db.status().ToString().c_str()); return 1; }
  std::string v;
  printf("get: %s\n", (*db)->Get("key", &v).ToString().c_str());
  printf("put: %s\n", (*db)->Put("key", "value", {.sync = true}).ToString().c_str());
  for (int i=0;i<100000;i++) { auto s=(*db)->Put("k"+std::to_string(i*7919%100000), "value"); if(!s.ok()) {printf("%s\n", s.ToString().c_str());return 1;} }
  printf("get: %s %s\n", (*db)->Get("key", &v).ToString().c_str(), v.c_str());
  printf("ckpt: %s\n", (*db)->Checkpoint().ToString().c_str());
  printf("get: %s %s\n", (*db)->Get("key", &v).ToString().c_str(), v.c_str());
  {auto it = (*db)->NewIterator(); int n=0; for (it->SeekToFirst(); it->Valid(); it->Next()) n++; printf("%d %s\n", n, it->status().ToString().c_str());}
  printf("verify: %s\n", (*db)->Verify().ToString().c_str());
  printf("%s\n", (*db)->GetStats().ToString().c_str());
  printf("close: %s\n", (*db)->Close().ToString().c_str());
}
