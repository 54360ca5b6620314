#!/bin/sh
# Runs SeaweedFS in .weed/ until it is killed: an S3 server for this example, not for production.
set -eu
mkdir -p .weed/data
cat > .weed/s3.json <<END
{"identities": [{"name": "example", "actions": ["Admin"],
  "credentials": [{"accessKey": "$AWS_ACCESS_KEY_ID", "secretKey": "$AWS_SECRET_ACCESS_KEY"}]}]}
END
exec weed -logdir=.weed server -dir=.weed/data -ip=127.0.0.1 -ip.bind=127.0.0.1 \
  -s3 -s3.port="${S3_PORT:-8333}" -s3.config=.weed/s3.json -s3.port.iceberg=0 -s3.port.lance=0 \
  -master.port="${MASTER_PORT:-9333}" -volume.port="${VOLUME_PORT:-8080}" \
  -filer.port="${FILER_PORT:-8888}" -master.telemetry=false \
  -volume.max=0 -master.volumeSizeLimitMB=256 > .weed/log 2>&1
