namespace R1Serverless.Hosting;

/// <summary>What one process of the executable does.</summary>
internal enum ServeRole
{
    /// <summary>Everything: interactive requests go straight to the local engine, durable work through the queue.</summary>
    All,

    /// <summary>Takes requests and puts them into the queue; loads no model.</summary>
    Gateway,

    /// <summary>Works off the queue with its models; its own port answers too.</summary>
    Worker,
}

/// <summary>Roles as command lines and answers write them.</summary>
internal static class RoleName
{
    public static IReadOnlyList<string> All { get; } = [.. Enum.GetValues<ServeRole>().Select(Of)];

    public static string Of(ServeRole role) => role switch
    {
        ServeRole.All => "all",
        ServeRole.Gateway => "gateway",
        ServeRole.Worker => "worker",
        _ => throw new ArgumentOutOfRangeException(nameof(role)),
    };

    public static ServeRole Parse(string name) => Enum.GetValues<ServeRole>().First(role => Of(role) == name);
}
