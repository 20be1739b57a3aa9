namespace R1Serverless.Engine.Devices;

/// <summary>The device, or one buffer on it, has not as much memory as is asked for.</summary>
public sealed class DeviceMemoryException : Exception
{
    public DeviceMemoryException()
    {
    }

    public DeviceMemoryException(string message)
        : base(message)
    {
    }

    public DeviceMemoryException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
