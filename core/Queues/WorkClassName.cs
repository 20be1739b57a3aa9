namespace R1Serverless.Queues;

/// <summary>Work classes as metrics, logs and command lines write them.</summary>
public static class WorkClassName
{
    public static string Of(WorkClass workClass) => workClass == WorkClass.Interactive ? "interactive" : "bulk";
}
