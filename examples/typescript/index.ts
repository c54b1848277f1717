import * as streaming from "@pulumi/streaming-etl";

const orders = new streaming.StreamingEtlPipeline("orders", {
    tableName: "orders",
    transformModule: "transforms/orders.py",
    format: "parquet",
    partitions: {
        granularity: "hour",
        timeZone: "Asia/Tokyo",
        dynamicPartitionKeys: { store_id: ["tokyo", "osaka", "sapporo"] },
    },
    source: { rangeKey: "created" },
    forwarder: { batchingWindowSeconds: 10, maxRecordKib: 128 },
    transform: { bufferMib: 0.5 },
    tags: { team: "web-shop" },
});

export const view = orders.view;
export const alarmTopicArn = orders.alarmTopicArn;
