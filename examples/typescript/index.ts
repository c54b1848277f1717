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

const shop = new streaming.StreamingEtlPipeline("shop", {
    tableName: "shop",
    source: { hashKey: "pk", rangeKey: "sk" },
    lakeTables: {
        customers: {
            transformModule: "transforms/customers.py",
            where: { kind: ["customer", "company"], priority: [1, 2], active: [true] },
            format: "parquet",
            partitions: { granularity: "day", timeZone: "Asia/Tokyo" },
            delivery: { bufferSeconds: 300 },
        },
        orders: {
            transformModule: "transforms/orders.py",
            where: { sk: { prefix: "ORDER#" } },
            partitions: { dynamicPartitionKeys: { store_id: ["tokyo", "osaka", "sapporo"] } },
        },
    },
});

export const view = orders.view;
export const alarmTopicArn = orders.alarmTopicArn;
export const lakeTables = shop.lakeTables;
